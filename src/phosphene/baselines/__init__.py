"""Baselines: players that any suite can be given to, to know what a score is worth."""
