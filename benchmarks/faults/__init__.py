"""What is lost when parts of a Ray cluster are killed while a study runs: `python -m benchmarks.faults`."""
