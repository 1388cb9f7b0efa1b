"""The audit: every act leaves a sentence, sealed in batches by a chain of hashes."""
