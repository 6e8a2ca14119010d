"""The trainer: frozen embeddings, a learned weight per token, a learned projection to languages."""
