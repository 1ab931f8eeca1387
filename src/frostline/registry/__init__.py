"""The best model of each data set, versioned, and the way it serves predictions."""
