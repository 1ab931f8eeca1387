"""The files that a network is exported as, each with what asks it."""
