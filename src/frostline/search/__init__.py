"""Search freezing depth, learning rates and the rest of a trial's settings with Optuna."""
