"""`familiar.npz`: what the images that a network was trained on look like to it, kept beside the network."""

from contextlib import suppress
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from frostline.backbones.tapped import tap
from frostline.errors import ArtifactError
from frostline.files.outputs import output_of
from frostline.statistics.familiar import Familiar

__all__ = ["FAMILIAR", "Familiarity"]

FAMILIAR = "familiar.npz"


@dataclass(frozen=True, eq=False)
class Familiarity:
    """What is `familiar` among the compressed pooled vectors [N, 2C] after a `layer`: see `backbones.tapped`."""

    layer: str
    familiar: Familiar

    def flagging(self, share: float) -> Self:
        """The same in a unit that a `share` of familiar images exceeds: see `Familiar.flagging`."""
        return replace(self, familiar=self.familiar.flagging(share))

    def tap(self, network: Any) -> Any:
        """The part of `network` that gives the pooled vectors: see `backbones.tapped.tap`.

        Raises ArtifactError if this is of another network.
        """
        with suppress(LookupError):
            tapped = tap(network, self.layer)
            if tapped.output_shape[1:] == self.familiar.mean.shape:
                return tapped
        raise ArtifactError(
            f"{FAMILIAR} is of another network: it has {len(self.familiar.mean)} numbers after a layer {self.layer}. "
            "Restore both files with `dvc checkout`, or train again: dvc repro --force train."
        )

    def write(self, folder: Path) -> None:
        """Write it into `folder`. Nothing is pickled."""
        arrays = {part.name: getattr(self.familiar, part.name).astype(np.float32) for part in fields(Familiar)}
        np.savez(folder / FAMILIAR, layer=np.array(self.layer), **arrays)

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """That in `folder`; None where there is none, as beside networks of before. Raises ArtifactError."""
        file = folder / FAMILIAR
        if not file.exists():
            return None
        with output_of("train", file), np.load(file) as found:
            return cls(str(found["layer"]), Familiar(*(found[part.name] for part in fields(Familiar))))
