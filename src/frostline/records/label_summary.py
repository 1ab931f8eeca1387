"""How many labels are doubtful: what the stage `labels` leaves beside the list of them."""

from pathlib import Path

from frostline.config.frozen import Frozen
from frostline.files.outputs import output_of

__all__ = ["LabelSummary"]

_FILE = "summary.json"


class LabelSummary(Frozen):
    """Counts of a data set: its training images, how many of them were looked at, and the labels in doubt.

    `pairs` counts the latter by label and likelier class, as in `cat, likelier dog`, the most frequent first.
    """

    dataset: str
    training_images: int
    looked_at: int
    label_issues: int
    pairs: dict[str, int]

    @property
    def folder(self) -> Path:
        """Where the list and the pictures are."""
        return self.place(self.dataset)

    @property
    def sentence(self) -> str:
        """What it comes to, in words."""
        return f"{self.label_issues} of {self.looked_at} training images may have a wrong label"

    @staticmethod
    def place(dataset: str) -> Path:
        """The folder of a data set's list, from the project's folder."""
        return Path("results/labels") / dataset

    @classmethod
    def read(cls, dataset: str) -> "LabelSummary | None":
        """That of a data set; None if the stage has not run. Raises ArtifactError if it is damaged."""
        path = cls.place(dataset) / _FILE
        if not path.exists():
            return None
        with output_of("labels", path):
            return cls.model_validate_json(path.read_text(encoding="utf-8"))

    def write(self, folder: Path) -> None:
        """Write it into `folder`."""
        (folder / _FILE).write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")
