"""Ways to search, replayed on the table of learning curves: `python -m benchmarks.replay`."""
