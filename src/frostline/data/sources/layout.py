"""Which folders are classes and which are splits, told by their names and by what lies where."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path

from frostline.data.sources.folder_names import are_folds, is_annotations, is_other_name, is_picture_name, is_pictures
from frostline.data.sources.record import as_word
from frostline.data.sources.split_names import UNLABELLED, SplitName, parse, settle
from frostline.data.sources.walk import Walk
from frostline.errors import DataError
from frostline.text.phrases import listed

__all__ = ["ClassFolder", "Layout"]

_NO_PICTURES = "without pictures, by the names of its files"


@dataclass(frozen=True)
class ClassFolder:
    """A folder whose files, at any depth, are of one class; `split` is train, val, test or None."""

    path: Path
    label: str
    split: str | None


@dataclass(frozen=True)
class Layout:
    """How the folders below `root` are understood. `left_out` has those that are neither class nor split, and why."""

    root: Path
    walk: Walk = field(default_factory=Walk)
    left_out: dict[Path, str] = field(default_factory=dict)

    def classes(self) -> list[ClassFolder]:
        """A folder per class, with splits above or below them, under any number of folders that only wrap them.

        Raises:
            DataError: `root` holds splits, folds or annotations in a way that does not say what the classes are.
        """
        [top] = self._unwrapped([self.root])
        splits = self._splits(top)
        if not splits:
            return self._divided(self._classes(top, split=None))
        inner = self._unwrapped([self._repeated(folder, parse(folder.name)) for folder in splits])
        found = [self._classes(folder, split) for folder, split in zip(inner, splits.values(), strict=True)]
        trained = {folder.label for classes in found for folder in classes if folder.split == "train"}
        found = [[] if self._holds_pictures_alone(classes, trained) else classes for classes in found]
        flat = [folder for folder, classes in zip(splits, found, strict=True) if not classes]
        if not any(classes and classes[0].split == "train" for classes in found):
            fault = f"no class folders in {self._names(flat)}" if flat else "no training split"
            raise self._error(f"the splits {self._names(splits)}, but {fault}")
        for folder in flat:
            count = len(list(self.walk.files_below(folder)))
            self.left_out[folder] = f"without class folders, so its files ({count}) have no label" if count else "empty"
        return [folder for classes in found for folder in classes]

    def _divided(self, classes: list[ClassFolder]) -> list[ClassFolder]:
        """`classes`, or the splits in them if that is all that each of them holds, as in cat/train/ and cat/test/."""
        splits: dict[Path, ClassFolder] = {}
        undivided, told_apart = [], False
        for one in classes:
            names = {folder: parse(folder.name) for folder in self.walk.folders(one.path)}
            inner = [folder for frame in _frames(names).values() for folder in frame]
            splits |= {folder: ClassFolder(folder, one.label, names[folder].split) for folder in inner}
            told_apart |= len({names[folder].split for folder in inner}) > 1
            if not inner or len(inner) < len(names) or _has_pictures(self.walk.files(one.path)):
                undivided.append(one.path)
        if undivided and told_apart:
            fault = f"but other things too, or only, in {self._names(undivided)}"
            raise self._error(f"the splits {self._names(splits)}, {fault}")
        if undivided or not splits:
            return classes
        if all(self._wraps_anything(folder) for folder in splits):
            raise self._error(f"the splits of more than one thing: {self._names(splits)}")
        given = {folder.split for folder in splits.values()}
        return [replace(folder, split=settle(str(folder.split), given)) for folder in splits.values()]

    def _classes(self, folder: Path, split: str | None) -> list[ClassFolder]:
        children = self._children(folder)
        if are_folds(child.name for child in children):
            raise self._error(f"{self._names(children)}: folds of a cross-validation, by their names, not classes")
        annotations = [child for child in children if is_annotations(child.name)]
        pictures = [child for child in children if is_pictures(child.name)]
        if annotations and pictures and len(annotations) + len(pictures) == len(children):
            raise self._error(f"{self._names(children)}: pictures and their annotations, by their names, not classes")
        return [ClassFolder(child, as_word(child.name), split) for child in children]

    def _splits(self, top: Path) -> dict[Path, str]:
        """The folders of `top` that are splits, and which; none where its folders are classes."""
        names = {folder: parse(folder.name) for folder in self._children(top)}
        frames = _frames(names)
        if not frames:
            return {}
        splits = [folder for frame in frames.values() for folder in frame]
        aside = {folder: why for folder in names if folder not in splits and (why := self._why_aside(folder, frames))}
        unknown = [folder for folder in names if folder not in splits and folder not in aside]
        with_classes = any(names[folder].split == "train" and self.walk.folders(folder) for folder in splits)
        if unknown and not with_classes:
            return {}  # a folder "train" of pictures, beside others, is a class like any other
        if unknown:
            raise self._error(
                f"the splits {self._names(splits)} and beside it folders that are no split: {self._names(unknown)}"
            )
        if len(frames) > 1:
            raise self._error(f"the splits of more than one thing: {self._names(splits)}")
        self.left_out.update(aside)
        given = {names[folder].split for folder in splits}
        return {folder: settle(str(names[folder].split), given) for folder in splits}

    def _why_aside(self, folder: Path, frames: dict[tuple[str, ...], list[Path]]) -> str:
        """Why `folder` may be left out beside splits, or nothing."""
        name = parse(folder.name)
        if name.split == UNLABELLED and name.rest in frames:
            return "unlabelled, by its name"
        if is_annotations(folder.name):
            return "annotations, by its name"
        if not any(self.walk.files_below(folder)):
            return "empty"
        return _NO_PICTURES if self._holds_other_things(folder) else ""

    def _unwrapped(self, folders: list[Path]) -> list[Path]:
        """For each of `folders` the one in it that holds the classes. One class in all of them is none: it wraps."""
        children = [self._children(folder) for folder in folders]
        names = {as_word(child.name) for found in children for child in found}
        one_each = len(names) == 1 and all(len(found) <= 1 for found in children)
        if not one_each or not any(self._wraps(child) for found in children for child in found):
            return folders
        return self._unwrapped([found[0] if found else folder for folder, found in zip(folders, children, strict=True)])

    def _repeated(self, folder: Path, split: SplitName) -> Path:
        """`folder`, or the only folder in it if that repeats the name of the split, as in seg_train/seg_train/."""
        children = self.walk.folders(folder)
        name = parse(children[0].name) if len(children) == 1 else None
        if name is None or name.split != split.split:
            return folder
        repeats = name.rest in ((), split.rest) or self._wraps(children[0])
        return self._repeated(children[0], split) if repeats else folder

    def _children(self, folder: Path) -> list[Path]:
        """The folders in `folder`; of one that wraps class folders, and annotations or other things, only that one."""
        children = self.walk.folders(folder)
        annotations = [child for child in children if is_annotations(child.name)]
        others = self._without_other_things([child for child in children if child not in annotations])
        if not annotations or len(others) != 1 or not self._wraps(others[0]):
            return [child for child in children if child in annotations or child in others]
        if is_pictures(others[0].name) or not any(_has_pictures(self.walk.files_below(each)) for each in annotations):
            self.left_out.update(dict.fromkeys(annotations, "annotations, by its name"))
            return others
        return children

    def _without_other_things(self, folders: list[Path]) -> list[Path]:
        """The one of `folders` that only wraps folders, if all the others hold files, and none of them is a picture."""
        wrapping: list[Path] = []
        for folder in folders:
            if self._wraps(folder):
                wrapping.append(folder)
            elif not self._holds_other_things(folder):
                return folders
        if len(wrapping) != 1 or self._holds_other_things(wrapping[0]):
            return folders
        self.left_out.update((folder, _NO_PICTURES) for folder in folders if folder not in wrapping)
        return wrapping

    def _holds_other_things(self, folder: Path) -> bool:
        files = self.walk.files_below(folder)
        first = next(files, None)
        return first is not None and all(is_other_name(file.name) for file in chain([first], files))

    def _wraps(self, folder: Path) -> bool:
        name = parse(folder.name)
        is_split = name.split is not None and not name.rest
        return not is_split and self._wraps_anything(folder)

    def _wraps_anything(self, folder: Path) -> bool:
        return bool(self.walk.folders(folder)) and not _has_pictures(self.walk.files(folder))

    @staticmethod
    def _holds_pictures_alone(classes: list[ClassFolder], trained: set[str]) -> bool:
        """Whether a split's only folder is called for pictures, not for a class, as in val/images/."""
        return len(classes) == 1 and is_pictures(classes[0].path.name) and classes[0].label not in trained

    def _names(self, folders: Iterable[Path]) -> str:
        return listed(folder.relative_to(self.root).as_posix() + "/" for folder in folders)

    def _error(self, found: str) -> DataError:
        return DataError(
            f"{self.root} holds {found}. Expected a sub-folder per class, or such sub-folders in train/ and test/. "
            "Move what is neither away, let `path` under datasets in params.yaml name the folder of the classes, or "
            "list the pictures in a CSV file (source: csv)."
        )


def _frames(names: dict[Path, SplitName]) -> dict[tuple[str, ...], list[Path]]:
    """Folders called like splits, by what their names say besides: that must be nothing, or shared by two splits."""
    frames: dict[tuple[str, ...], list[Path]] = {}
    for folder, name in names.items():
        if name.split not in (None, UNLABELLED):
            frames.setdefault(name.rest, []).append(folder)
    return {
        rest: folders
        for rest, folders in frames.items()
        if not rest or len({names[folder].split for folder in folders}) > 1
    }


def _has_pictures(files: Iterable[Path]) -> bool:
    """Whether any of `files` is called like a picture."""
    return any(is_picture_name(file.name) for file in files)
