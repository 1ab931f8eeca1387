"""What a search costs: see `__main__`."""
