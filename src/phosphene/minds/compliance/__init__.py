"""Compliance: does what a language model agrees to depend on whether it thinks it is trained?"""
