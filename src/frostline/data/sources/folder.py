"""A folder with a sub-folder per class, with or without splits such as `train/` and `test/` above the classes."""

from dataclasses import dataclass
from pathlib import Path

from frostline.data.sources.archives import is_archive_name
from frostline.data.sources.digests import Digests
from frostline.data.sources.layout import ClassFolder, Layout
from frostline.data.sources.metadata import read_metadata
from frostline.data.sources.record import Reading, Record, state_of
from frostline.data.sources.walk import Walk
from frostline.errors import DataError
from frostline.text.phrases import counted, listed
from frostline.text.words import encodable

__all__ = ["FolderSource"]


@dataclass(frozen=True)
class FolderSource:
    """Every file below a class folder is a picture of that class, however deep; some are ignored (module `ignored`).

    Which folders are classes is told by `Layout`, unless a table says the labels (module `metadata`). Folders whose
    names are the same word, in whatever Unicode form or with spaces at their ends, are one class.
    """

    root: Path

    def read(self) -> Reading:
        """One record per file, or per link that leads nowhere. Raises DataError if no folder can be a class."""
        if not self.root.is_dir():
            raise DataError(
                f"The folder {self.root} does not exist (seen from {Path.cwd()}). "
                "Mend `path` under datasets in params.yaml."
            )
        if labelled := read_metadata(self.root):
            return labelled
        layout = Layout(self.root)
        classes = layout.classes()
        records = [
            Record(image=self._name(file), label=folder.label, split=folder.split)
            for folder in classes
            for file in layout.walk.files_below(folder.path)
        ]
        if not records:
            raise DataError(
                f"{self.root} holds no files in its class folders. Put pictures into a sub-folder per class."
                + self._about_archives()
            )
        folders: dict[str, list[str]] = {}
        for folder in classes:
            folders.setdefault(folder.label, []).append(encodable(self._name(folder.path)))
        return Reading(records, folders, self._left_out(layout, classes))

    def records(self) -> list[Record]:
        """The records of `read` alone."""
        return self.read().records

    def loose_files(self) -> list[str]:
        """Names of the files that lie beside the folders in `root`, which `records` leaves out."""
        return [file.name for file in Walk().files(self.root)]

    def state(self, digests: Digests, /) -> str:
        """Fingerprint of the classes, and of the files' names, classes and contents."""
        return state_of(self.root, self.read(), digests)

    def to_fetch(self) -> str:
        """What the first reading does beside looking at files: nothing."""
        return ""

    def _about_archives(self) -> str:
        archives = [name for name in self.loose_files() if is_archive_name(Path(name))]
        return f" It holds archives: unpack {listed(archives)}, or let `path` name one." if archives else ""

    def _left_out(self, layout: Layout, classes: list[ClassFolder]) -> dict[str, str]:
        reasons = {encodable(self._name(folder)): why for folder, why in layout.left_out.items()}
        above = {parent for folder in classes for parent in folder.path.parents if parent.is_relative_to(self.root)}
        for folder in sorted(above):
            if count := len(layout.walk.files(folder)):
                place = "" if folder == self.root else f" in {encodable(self._name(folder))}"
                reasons[f"{counted(count, 'file')}{place}"] = "in no class folder"
        ignored = sorted({encodable(folder.name) for folder in layout.walk.ignored})
        return reasons | dict.fromkeys(ignored, "hidden, or a system's own")

    def _name(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()
