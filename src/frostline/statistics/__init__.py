"""How sure a number is: intervals, standard errors, calibrated probabilities."""
