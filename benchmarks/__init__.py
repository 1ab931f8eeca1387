"""Where the figures of docs/results come from: `python -m benchmarks.<name>`; `--smallest` shows that one runs."""

from frostline.runtime.environment import set_defaults

set_defaults()  # before any of them imports Keras
