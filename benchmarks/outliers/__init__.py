"""How well a network tells pictures that are like no training image: `python -m benchmarks.outliers`."""
