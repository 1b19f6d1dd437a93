"""Operators: one file is one. See `phosphene.operator`."""
