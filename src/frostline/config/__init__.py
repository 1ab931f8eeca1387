"""What `params.yaml` may say, and the reading of it."""
