"""frostline against what a competent person does by hand, and against a plain search that is given the same time."""
