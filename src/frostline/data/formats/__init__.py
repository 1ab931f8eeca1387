"""File formats that Pillow reads in part, wrongly or at a price that nobody bounds: one module for each."""
