"""What goes to the user's terminal: it may know ASCII alone, and obeys escape codes, also those in a file name."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any, TextIO, cast

from frostline.errors import WriteError
from frostline.runtime.ending import Interrupted
from frostline.text.words import visible

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

__all__ = ["console", "is_unicode", "plain", "set_up"]

_UTF8_MODE = ["-X", "utf8"]


def set_up() -> None:
    r"""Let standard output and error write what their encoding lacks as `\uXXXX`, instead of raising; see `_Output`.

    Where Python takes file names for ASCII (the locale C without Python's UTF-8 mode), the process first starts itself
    again with that mode on: names on disk are bytes, and UTF-8 nearly everywhere.
    """
    if sys.getfilesystemencoding() == "ascii" and sys.orig_argv[1:3] != _UTF8_MODE:
        os.environ["PYTHONIOENCODING"] = _encoding()
        os.execv(sys.executable, [sys.executable, *_UTF8_MODE, *sys.orig_argv[1:]])  # noqa: S606  # it is this one
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    sys.stdout = cast(TextIO, _Output(sys.stdout))


class _Output:
    """Standard output, which raises WriteError where it cannot be written, as on a full disk.

    Where nobody reads on, as behind `| head`, the process is interrupted as by SIGPIPE, which Python ignores.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        with self._told():
            return self._stream.write(text)

    def flush(self) -> None:
        with self._told():
            self._stream.flush()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())  # where Python puts the rest at its end
            if isinstance(error, BrokenPipeError):
                raise Interrupted(signal.SIGPIPE) from None
            raise WriteError(
                f"Standard output cannot be written: {error.strerror}. Make room where it leads."
            ) from error


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
