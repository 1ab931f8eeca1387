"""What several workers gain, and what they cost: `python -m benchmarks.cluster`."""
