"""What the API is written down as: its answers, its contract, its reference."""
