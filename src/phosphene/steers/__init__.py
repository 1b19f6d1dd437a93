"""Steers: one file is one. See `phosphene.steer`."""
