"""Interventions on a mind's thoughts and sites, and what is claimed of them."""
