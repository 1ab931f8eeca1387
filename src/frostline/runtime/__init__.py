"""The process: its environment, terminal, logs, devices, precision, and how it ends."""
