"""How files are written whole, and read with one clear error."""
