"""What a process of its own does: it sets the environment of a way, and only then imports Keras, which reads it."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from .tables import COLD, WARM


def run(ways: Sequence[str], folder: Path, options: argparse.Namespace) -> None:
    """Run one cell's list in each of `ways`."""
    for way in ways:
        if way not in (COLD, WARM):
            os.environ.pop("TF_DETERMINISTIC_OPS", None)  # they run as their users start them
        from .ways import run_list

        run_list(way, folder, options)
