"""How good a model is on images that neither training nor search has seen."""
