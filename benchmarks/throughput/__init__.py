"""How fast networks run: see `__main__`."""
