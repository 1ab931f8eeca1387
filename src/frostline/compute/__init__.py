"""Who trains a study's trials: this process, or workers on a Ray cluster."""
