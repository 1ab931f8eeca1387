"""What drift of pictures is seen: see `__main__`."""
