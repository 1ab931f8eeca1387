"""Pretrained convolutional networks: which there are, whence their weights, and how they are cut and frozen."""
