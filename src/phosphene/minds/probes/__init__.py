"""Probes of language models; one file is one of them."""
