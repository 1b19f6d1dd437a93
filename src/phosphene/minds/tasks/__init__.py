"""Text tasks; one file is one of them."""
