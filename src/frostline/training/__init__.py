"""Train one trial's suffix on cached prefix activations, so that frozen blocks run once."""
