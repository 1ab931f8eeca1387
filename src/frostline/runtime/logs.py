"""What libraries log, where it is no news for a user of frostline."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["quieted"]


@contextmanager
def quieted(*names: str, level: int = logging.CRITICAL) -> Iterator[None]:
    """Hold back what the loggers called `names`, and those below them, say under `level`; it also decorates functions.

    A logger that says even less is left so. Levels belong to the whole process: enter this once around a pool of
    threads, not in each thread.
    """
    loggers = [logging.getLogger(name) for name in names]
    former = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(max(level, logger.getEffectiveLevel()))
    try:
        yield
    finally:
        for logger, before in zip(loggers, former, strict=True):
            logger.setLevel(before)
