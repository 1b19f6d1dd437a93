"""Explorers: one file is one. See `phosphene.explorer`."""
