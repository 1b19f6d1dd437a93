"""Embeddings: one file is one. See `phosphene.embedding`."""
