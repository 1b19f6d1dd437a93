"""What explorers, sessions and reports share."""
