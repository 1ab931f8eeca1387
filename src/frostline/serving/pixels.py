"""Pictures as the network of a version takes them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from frostline.data.images import load_square, quiet_decoders
from frostline.data.levels import Levels
from frostline.errors import DataError, ImageError
from frostline.registry.models import LoadedVersion

__all__ = ["decoded"]


@quiet_decoders()
def decoded(version: LoadedVersion, files: Sequence[Path]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Those of `files` that `version` can read, uint8 [n, S, S, 3], and which they are, [len(files)].

    Raises DataError if a file is gone.
    """
    config = version.model_config
    size, levels = config["image_size"], Levels.from_dict(config.get("levels", {}))
    limits = {name: config[name] for name in ("min_side", "max_pixels")}
    squares, readable = [], np.ones(len(files), dtype=np.bool_)
    for place, file in enumerate(files):
        try:
            squares.append(load_square(file, size, config["resize"], levels=levels, **limits))
        except ImageError as error:
            if error.reason == "missing":
                raise DataError(f"The image {file} cannot be used now: {error}. Run `dvc repro`.") from error
            readable[place] = False
    return np.array(squares, dtype=np.uint8).reshape(len(squares), size, size, 3), readable
