"""How a command ends that cannot go on: one line that says why, and an exit code."""

import math
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import ClassVar, TextIO

from frostline.errors import FrostlineError, StoreError
from frostline.runtime.debugging import is_debugging, traceback_of
from frostline.runtime.memory import is_out_of_memory
from frostline.runtime.progress import say
from frostline.text.redaction import redacted

__all__ = ["Interrupted", "ended", "when_interrupted"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_MENDABLE, _DEFECT = 1, 70
_PACKAGE = Path(__file__).parents[1]
_DVC_STAGE = "DVC_STAGE"
_SECONDS_BETWEEN_LOOKS = 1.0
_SECONDS_OF_ONE_INTERRUPT = 1.0


class Interrupted(BaseException):
    """A signal asks the process to end.

    KeyboardInterrupt will not do: Optuna takes it for a trial's failure, and Typer ends the process before `ended` can
    say a word.
    """

    latest: ClassVar[float] = -math.inf
    """When the process was interrupted last, by `time.monotonic`."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.code = 128 + number
        self.advice = "run the same command again"


@contextmanager
def when_interrupted(advice: str) -> Iterator[None]:
    """Say `advice` if the block is interrupted."""
    try:
        yield
    except Interrupted as interrupted:
        interrupted.advice = advice
        raise
    except SystemError as error:  # what C code makes of an interrupt that came between two steps of its own
        if time.monotonic() > Interrupted.latest + _SECONDS_OF_ONE_INTERRUPT:
            raise
        ended_by = Interrupted(signal.SIGTERM)
        ended_by.advice = advice
        raise ended_by from error


@contextmanager
def ended() -> Iterator[None]:
    """Run a command: what ends it early is printed as one line, after its traceback in debug mode; then the exit code.

    That is 1 of an error that the user can mend, 70 (EX_SOFTWARE of sysexits.h) of a defect, and 128 and the signal's
    number of an interrupt, as shells have it. A command that DVC started is interrupted when DVC is gone.
    """
    Interrupted.latest = -math.inf
    # nohup, and shells for what runs in the background, ignore a signal on purpose.
    heeded = [number for number in _SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
    former = {number: signal.signal(number, _interrupt) for number in heeded}
    if _DVC_STAGE in os.environ:
        _end_with_dvc()
    try:
        with _flushed(sys.stdout):
            yield
    except Interrupted as interrupted:
        if interrupted.code == 128 + signal.SIGPIPE:  # who has stopped reading wants no more words
            sys.exit(interrupted.code)
        _end(f"Interrupted; {interrupted.advice}.", interrupted.code)
    except Exception as error:
        line, code = _told(error)
        _end(f"{traceback_of(error)}\n{line}" if is_debugging() else line, code)
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


@contextmanager
def _flushed(stream: TextIO) -> Iterator[None]:
    """Flush `stream` at the end, while it can be told that it cannot be written."""
    try:
        yield
    finally:
        stream.flush()


def _interrupt(number: int, _: FrameType | None) -> None:
    if signal.getsignal(signal.SIGTERM) not in (_interrupt, signal.SIG_IGN):
        signal.raise_signal(signal.SIGTERM)  # a server's own: it stops in peace, and raises the signal again
    elif time.monotonic() > Interrupted.latest + _SECONDS_OF_ONE_INTERRUPT:  # who presses twice means it once
        Interrupted.latest = time.monotonic()
        raise Interrupted(number)


def _end(line: str, code: int) -> None:
    with suppress(OSError):  # a terminal that is gone
        say(line)
    sys.exit(code)


def _told(error: Exception) -> tuple[str, int]:
    """What to tell the user of `error`, and the exit code."""
    known: BaseException | None = error
    while known is not None and not isinstance(known, FrostlineError if known is error else StoreError):
        # Optuna makes errors of its own of what stores raise inside it.
        known = known.__cause__ or (None if known.__suppress_context__ else known.__context__)
    if known is not None:
        return f"Error: {known}", _MENDABLE
    # These two may come from anywhere: there is no border to convert them at.
    if isinstance(error, ImportError) and (error.name or "").partition(".")[0] != "frostline":
        return f"Error: a package cannot be imported: {error}. frostline doctor compares all of them.", _MENDABLE
    if is_out_of_memory(error):
        return "Error: memory ran out: end other programs, or lower train.batch_size or image_size.", _MENDABLE
    what = redacted(f"{type(error).__name__}: {error}".partition("\n")[0]).rstrip(".: ")
    mend = (
        "Report it with the traceback above"
        if is_debugging()
        else "Run again with --debug for its traceback, and report that"
    )
    return f"Error: frostline has a defect: {what}{_place(error)}. {mend}; what was finished is kept.", _DEFECT


def _place(error: Exception) -> str:
    """Where in frostline `error` came from."""
    frames = traceback.extract_tb(error.__traceback__)
    places = [
        f" ({Path(frame.filename).relative_to(_PACKAGE)}, line {frame.lineno})"
        for frame in frames
        if Path(frame.filename).is_relative_to(_PACKAGE)
    ]
    return places[-1] if places else ""


def _end_with_dvc() -> None:
    """Watch the process that set DVC_STAGE: the nearest one above that does not have it in its own environment."""
    import psutil

    def below(process: psutil.Process) -> bool:
        try:
            return _DVC_STAGE in process.environ()
        except psutil.Error:  # another user's, or gone
            return False

    def watch(dvc: psutil.Process) -> None:
        with suppress(psutil.NoSuchProcess):
            while dvc.is_running() and dvc.status() != psutil.STATUS_ZOMBIE:
                time.sleep(_SECONDS_BETWEEN_LOOKS)
        with suppress(OSError):
            say("DVC, which started this command, is gone.")
        os.kill(os.getpid(), signal.SIGTERM)

    dvc = next((process for process in psutil.Process().parents() if not below(process)), None)
    if dvc is not None:
        threading.Thread(target=watch, args=(dvc,), daemon=True).start()
