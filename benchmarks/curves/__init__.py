"""A table of whole learning curves, on which ways to search are compared: `python -m benchmarks.curves`."""
