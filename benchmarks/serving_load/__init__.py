"""Many clients at once, good and bad, of a server that is stopped and changed: `python -m benchmarks.serving_load`."""
