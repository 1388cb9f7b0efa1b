"""The network: feeders, distribution transformers and the connections they supply, with positions."""
