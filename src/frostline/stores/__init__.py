"""The databases of runs and studies: where they are, and who holds them."""
