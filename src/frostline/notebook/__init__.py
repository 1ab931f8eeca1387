"""frostline for people who work in Python: what `advise`, `predict` and the report say, as objects and tables."""
