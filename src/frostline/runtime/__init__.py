"""The process: its environment, terminal, devices, precision, and how it ends."""
