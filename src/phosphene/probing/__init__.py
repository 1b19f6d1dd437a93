"""Probing: what the probes share."""
