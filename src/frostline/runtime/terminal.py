"""What goes to the user's terminal: it may know ASCII alone, and obeys escape codes, also those in a file name."""

import os
import sys
from io import TextIOWrapper
from typing import TYPE_CHECKING

from frostline.text.words import visible

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

__all__ = ["console", "is_unicode", "plain", "set_up"]

_UTF8_MODE = ["-X", "utf8"]


def set_up() -> None:
    r"""Let standard output and error write what their encoding lacks as `\uXXXX`, instead of raising.

    Where Python takes file names for ASCII (the locale C without Python's UTF-8 mode), the process first starts itself
    again with that mode on: names on disk are bytes, and UTF-8 nearly everywhere.
    """
    if sys.getfilesystemencoding() == "ascii" and sys.orig_argv[1:3] != _UTF8_MODE:
        os.environ["PYTHONIOENCODING"] = _encoding()
        os.execv(sys.executable, [sys.executable, *_UTF8_MODE, *sys.orig_argv[1:]])  # noqa: S606  # it is this one
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def console(width: int | None = None) -> "Console":
    """Rich's console on standard output; `width` is how many columns it has where that is no terminal."""
    from rich.console import Console

    standard = Console()
    return standard if standard.is_terminal else Console(width=width)


def is_unicode() -> bool:
    """Whether standard output can write every character."""
    return _encoding().lower().replace("-", "").startswith("utf")


def plain(words: str, keep: str = "") -> "Text":
    """`words` as a cell or part of a line: no markup, no emoji codes, nothing hidden but `keep`, as wide as written."""
    from rich.text import Text

    return Text(visible(words, keep).encode(_encoding(), "backslashreplace").decode(_encoding()))


def _encoding() -> str:
    return getattr(sys.stdout, "encoding", None) or "utf-8"
