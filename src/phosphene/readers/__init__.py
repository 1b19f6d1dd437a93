"""Readers: what scorers see with. Pictures and sounds in, symbols out; none knows the answer."""
