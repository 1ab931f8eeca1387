"""How a command ends that cannot go on: one line that says why, and an exit code."""

import math
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import ClassVar

from frostline.errors import FrostlineError
from frostline.runtime.progress import say
from frostline.text.redaction import redacted

__all__ = ["Interrupted", "ended", "when_interrupted"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_STORES = ("mlflow", "optuna", "sqlalchemy")
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


@contextmanager
def ended() -> Iterator[None]:
    """Run a command: what ends it early is printed without a traceback, and becomes the exit code.

    1 is an error that the user can mend; an interrupt gives 128 and its signal's number, as shells do. A command that
    DVC started is interrupted when DVC is gone.
    """
    Interrupted.latest = -math.inf
    # nohup, and shells for what runs in the background, ignore a signal on purpose.
    heeded = [number for number in _SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
    former = {number: signal.signal(number, _interrupt) for number in heeded}
    if _DVC_STAGE in os.environ:
        _end_with_dvc()
    try:
        yield
    except Interrupted as interrupted:
        _end(f"Interrupted; {interrupted.advice}.", interrupted.code)
    except Exception as error:
        line = _line(error)
        if line is None:
            raise
        _end(f"Error: {line}", 1)
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


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


def _line(error: Exception) -> str | None:
    """What to tell the user; None for what is a defect of ours."""
    cause: BaseException | None = error
    while cause is not None:  # MLflow and Optuna make errors of their own of what is raised inside them
        if isinstance(cause, FrostlineError):
            return str(cause)
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    if isinstance(error, ImportError):  # of a package half installed, or of a version that another does not get on with
        return f"a package cannot be imported: {error}. frostline doctor compares all of them."
    if isinstance(error, OSError):  # a full disk under a store, a connection that broke
        refused = f"the system refused: {redacted(str(error))}"
    elif type(error).__module__.partition(".")[0] in _STORES:
        refused = f"a store of runs or studies refused: {redacted(str(error).partition(chr(10))[0])}"
    else:
        return None
    return f"{refused.rstrip('.')}. Mend that and run again; what was finished is kept."


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
