"""The things that `frostline doctor` looks at."""
