"""The circle of simulated meters, on real sockets and in memory."""
