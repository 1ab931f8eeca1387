"""Files that stages leave for one another."""
