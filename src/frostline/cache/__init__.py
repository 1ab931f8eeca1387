"""Activations of frozen blocks, computed once."""
