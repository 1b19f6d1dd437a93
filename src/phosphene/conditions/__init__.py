"""Conditions: what a generator is told of its situation, and whether it acts on that."""
