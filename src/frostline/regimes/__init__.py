"""Which regime a cell is in, measured from one forward pass, and what the guide recommends there."""
