"""The process that trains a study: what a person starts, kills and starts again."""

import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from .nodes import TRAINING, Nodes
from .study import COMMAND

SECONDS = 600
BEGUN = "Waiting for up to"
ENDS = ("Error: ", "Interrupted; ")


class Driver:
    """`frostline train` in the working folder. What it says goes to `log`."""

    def __init__(self, log: Path) -> None:
        self.log = log
        with log.open("w", encoding="utf-8") as file:
            self.process = subprocess.Popen(COMMAND, stdout=file, stderr=subprocess.STDOUT)

    @property
    def said(self) -> str:
        return self.log.read_text(encoding="utf-8")

    @property
    def has_ended(self) -> bool:
        return self.process.poll() is not None

    def until_begun(self) -> None:
        """Until it is connected to the cluster, and has read the study."""
        self._until(lambda: BEGUN in self.said)

    def until_both_train(self, nodes: Nodes) -> None:
        """Until each of two workers has been seen at work."""
        seen = set()

        def both() -> bool:
            seen.update(nodes.workers(TRAINING))
            return sum(process.is_running() for process in seen) > 1

        self._until(both)

    def end(self) -> int:
        """Wait for its end, and give its exit code."""
        return self.process.wait(SECONDS)

    def has_ended_well(self, code: int) -> bool:
        """Whether it has ended with `code`, and one line that says why, of Ray or Python no other word."""
        why = [line for line in self.said.splitlines() if line.startswith(ENDS)]
        strange = re.search(r"Traceback|\(raylet|^\[20.* E ", self.said, re.MULTILINE)
        return self.process.returncode == code and len(why) == (1 if code > 0 else 0) and not strange

    def _until(self, what: Callable[[], bool]) -> None:
        """Until `what` is true, or the process has ended."""
        deadline = time.monotonic() + SECONDS
        while not self.has_ended and not what():
            if time.monotonic() > deadline:
                raise TimeoutError(f"nothing has come of it in {SECONDS} seconds:\n{self.said}")
            time.sleep(0.1)
