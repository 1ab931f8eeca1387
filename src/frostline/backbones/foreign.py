"""What a file or folder seems to be that is no file of Keras, by its first bytes, and how to make one of it."""

import zipfile
from pathlib import Path

from frostline.errors import WeightsError
from frostline.files.reading import reading

__all__ = ["HDF5", "refuse_foreign"]

HDF5 = b"\x89HDF\r\n\x1a\n"
_ZIP = b"PK\x03\x04"
_WANTED = "Weights are a file that Keras wrote: .weights.h5, .keras or .h5"
_SAVE = "network.save_weights('mine.weights.h5')"
_CONVERT = f"build the same network in Keras, give it these numbers, and write it with {_SAVE}"
_TORCH = f"load it with PyTorch, {_CONVERT} (docs/weights.md shows it)"
_AGAIN = "get the file again"


def refuse_foreign(path: Path, where: str) -> None:
    """Raise WeightsError unless what lies at `path` can be a file of Keras; nothing in it is run or unpickled.

    `where` says in words whose weights they are. A path at which nothing lies is the caller's to refuse.
    """
    found: tuple[str, str] | None = None
    with reading(path, WeightsError):
        if path.is_dir():
            found = _folder(path)
        elif path.is_file():
            with path.open("rb") as content:
                found = _content(path, content.read(512))
    if found:
        what, how = found
        raise WeightsError(f"{path} ({where}) {what}. {_WANTED}. To mend it, {how}.")


def _folder(path: Path) -> tuple[str, str]:
    if (path / "saved_model.pb").exists():
        return (
            "is a SavedModel folder of TensorFlow",
            "load it with the Keras 2 that wrote it (pip install tf-keras) and save it with network.save('mine.h5')",
        )
    if (path / "config.json").exists() and any(path.glob("model.weights.*")):
        return "is a folder of a KerasHub preset", f"write preset: {path} in place of weights: in params.yaml"
    if any(path.glob("*.index")) or (path / "checkpoint").exists():
        return _checkpoint()
    if any(path.glob("*.safetensors")) or any(path.glob("*.bin")):
        return "is a folder of Hugging Face", _TORCH
    return "is a folder, and none that is known here", "name the file itself"


def _checkpoint() -> tuple[str, str]:
    return (
        "is a checkpoint of TensorFlow",
        "load it with network.load_weights(...) in the Keras 2 that wrote it, and then network.save('mine.h5')",
    )


def _content(path: Path, head: bytes) -> tuple[str, str] | None:
    """What the file is, and what to do; None if Keras may have written it."""
    if head.startswith(HDF5):
        return None
    if head.startswith(_ZIP):
        return _archive(path)
    if not head:
        return "is empty", _AGAIN
    for matches, what, how in (
        (
            head.startswith(b"version https://git-lfs"),
            "is a pointer of Git LFS, not the file itself",
            "run git lfs pull",
        ),
        (head.lstrip()[:1] == b"<", "is a web page, not the file itself", "download the file itself"),
        (head[:1] == b"\x80" and head[1:2] <= b"\x05", "is a Python pickle, such as an old PyTorch .pth", _TORCH),
        (
            head[8:10] == b'{"' and head[6:8] == b"\0\0",
            "is a safetensors file, as of PyTorch",
            _TORCH,
        ),
        (head[4:8] == b"TFL3", "is a LiteRT (TensorFlow Lite) file", "use the file that it was converted from"),
        (head.startswith(b"\x93NUMPY"), "is a NumPy array", _CONVERT),
        (path.suffix == ".onnx", "is an ONNX file", f"read it with the package onnx, {_CONVERT}"),
        (path.suffix in {".pth", ".pt", ".bin"}, "is a file of PyTorch", _TORCH),
        (path.suffix == ".pb", "is a graph of TensorFlow", "use the file or folder that it was exported from"),
        (path.suffix == ".index" or ".data-0000" in path.name, *_checkpoint()),
        (head.lstrip()[:1] == b"{", "is a JSON text, not the numbers", "name the file that holds the numbers"),
    ):
        if matches:
            return what, how
    return "is no file of Keras, or is damaged at its beginning", _AGAIN


def _archive(path: Path) -> tuple[str, str] | None:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, EOFError, NotImplementedError, ValueError):
        return "is a damaged archive: its end is missing, or it is encrypted", _AGAIN
    if "model.weights.h5" in names:
        return None
    if any(name.endswith("data.pkl") for name in names):
        return "is a file of PyTorch", _TORCH
    if names and all(name.endswith(".npy") for name in names):
        return "is a file of NumPy arrays (.npz)", _CONVERT
    if "config.json" in names:
        return (
            "is a .keras file whose numbers are in several parts or in a form other than HDF5",
            f"load it with keras.saving.load_model(...) and write it with {_SAVE}",
        )
    return "is an archive that Keras did not write", "unpack it, and name the file in it"
