"""Probes: one file is one probe."""
