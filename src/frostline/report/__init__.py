"""One page about everything that the pipeline found."""
