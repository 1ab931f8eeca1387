"""The debug mode, in which errors show their tracebacks: FROSTLINE_DEBUG in the environment, which --debug sets.

Processes that are started inherit it: the stages of `FROSTLINE_DEBUG=1 dvc repro`, and what a command itself starts.
"""

import os
import traceback

from frostline.text.redaction import redacted

__all__ = ["is_debugging", "start_debugging", "traceback_of"]

_VARIABLE = "FROSTLINE_DEBUG"


def is_debugging() -> bool:
    """Whether FROSTLINE_DEBUG is set, to anything but 0."""
    return os.environ.get(_VARIABLE, "") not in ("", "0")


def start_debugging() -> None:
    """From now on, in this process and those that it starts."""
    os.environ[_VARIABLE] = "1"


def traceback_of(error: BaseException) -> str:
    """The traceback of `error` and of what caused it, without the secrets of the stores that they name."""
    text = "".join(traceback.format_exception(error)).rstrip()
    cause: BaseException | None = error
    while cause is not None:
        text = redacted(text, getattr(cause, "address", ""))
        cause = cause.__cause__ or cause.__context__
    return text
