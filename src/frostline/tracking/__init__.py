"""What was done, with what, and what came out, kept in MLflow."""
