"""Qualities: one file is one. See `phosphene.quality`."""
