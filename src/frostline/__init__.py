"""frostline: how deep should you freeze a pretrained network? Measure it instead of guessing."""

__version__ = "0.1.0"
