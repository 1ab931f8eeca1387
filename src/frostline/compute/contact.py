"""Whether the cluster still answers. Ray itself waits a minute for its head, and then ends the process."""

import socket
import time
from contextlib import suppress

import ray

from frostline.errors import ComputeError

__all__ = ["Contact"]

_SECONDS_BETWEEN_LOOKS = 5.0
_SECONDS_OF_PATIENCE = 15.0
_SECONDS_TO_ANSWER = 5.0


class Contact:
    """With the head of the cluster that this process is connected to, and with Ray on this machine.

    `lost` says that one of them is gone: what Ray is then asked for may wait until it ends the process.
    """

    def __init__(self) -> None:
        context = ray.get_runtime_context()
        (own,) = [node for node in ray.nodes() if node["NodeID"] == context.get_node_id()]
        self._head = context.gcs_address
        self._own = f"{own['NodeManagerAddress']}:{own['NodeManagerPort']}"
        self._looked = time.monotonic()
        self.lost = False

    def check_now_and_then(self) -> None:
        """Check, unless that was done a few seconds ago."""
        if time.monotonic() > self._looked + _SECONDS_BETWEEN_LOOKS:
            self.check()

    def check(self) -> None:
        """Raise ComputeError if either answers nothing for some seconds."""
        for who, address, mend in (
            ("The head of the Ray cluster", self._head, "ray start --head there"),
            ("Ray on this machine", self._own, "ray start here"),
        ):
            if not _answers(address):
                self.lost = True
                raise ComputeError(
                    f"{who} ({address}) has not answered for {_SECONDS_OF_PATIENCE:g} seconds. "
                    f"Start it again ({mend}; docs/cluster.md). What is finished is kept, and the same command resumes."
                )
        self._looked = time.monotonic()


def _answers(address: str) -> bool:
    """Whether anything listens at `address`, tried until patience ends."""
    host, _, port = address.rpartition(":")
    deadline = time.monotonic() + _SECONDS_OF_PATIENCE
    while time.monotonic() < deadline:
        with suppress(OSError):
            socket.create_connection((host.strip("[]"), int(port)), _SECONDS_TO_ANSWER).close()
            return True
        time.sleep(1)
    return False
