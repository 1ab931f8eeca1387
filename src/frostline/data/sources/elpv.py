"""Electroluminescence pictures of solar cells from the package elpv-dataset, read without running its code."""

from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path

from frostline.data.sources.digests import Digests
from frostline.data.sources.record import Reading, Record
from frostline.errors import PackageError
from frostline.provenance import fingerprint

__all__ = ["ElpvSource"]


@dataclass(frozen=True)
class ElpvSource:
    """2,624 cells, `defective` where the experts' defect probability (0, 1/3, 2/3 or 1) reaches `threshold`."""

    root: Path
    version: str
    threshold: float

    @classmethod
    def find(cls, threshold: float) -> "ElpvSource":
        """The installed package's data. Raises PackageError if it is not installed."""
        try:
            version, spec = metadata.version("elpv-dataset"), util.find_spec("elpv_dataset")
        except metadata.PackageNotFoundError:
            spec = None
        if spec is None or not spec.submodule_search_locations:
            raise PackageError(
                "The solar-cell pictures come with the package elpv-dataset, which is not installed. "
                "Install it: pip install 'frostline[demo]'."
            )
        return cls(Path(spec.submodule_search_locations[0]) / "data", version, threshold)

    def read(self) -> Reading:
        """One record per cell, with the columns cell_type (mono or poly) and probability."""
        lines = (self.root / "labels.csv").read_text(encoding="utf-8").splitlines()
        return Reading([self._record(*line.split()) for line in lines if line.strip()])

    def records(self) -> list[Record]:
        """The records of `read` alone."""
        return self.read().records

    def state(self, _: Digests, /) -> str:
        """Fingerprint of the package's version, the threshold, and each cell's label."""
        labels = [[record.image, record.label] for record in self.records()]
        return fingerprint(["elpv-dataset", self.version, self.threshold, labels])

    def to_fetch(self) -> str:
        """What the first reading does beside looking at files: nothing."""
        return ""

    def _record(self, image: str, probability: str, cell_type: str) -> Record:
        label = "defective" if float(probability) >= self.threshold else "functional"
        return Record(image, label, extra={"cell_type": cell_type, "probability": probability})
