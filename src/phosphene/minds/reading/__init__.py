"""Reading thoughts: what is recorded, how it is turned into words, and what it is held against."""
