"""A Ray cluster as it is reached from here: its nodes, and how many workers they have room for."""

import os
import platform
import signal
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import ray
from ray.exceptions import RayError

from frostline.config.compute import ComputeConfig
from frostline.errors import ComputeError
from frostline.provenance import Machine

__all__ = ["Node", "check_room", "connected", "nodes", "words"]

_SECONDS_TO_ANSWER = 10


@dataclass(frozen=True)
class Node:
    """A machine of the cluster: its name, Ray's number for it, and its CPUs and GPUs."""

    host: str
    key: str
    cpus: float
    gpus: float

    def places(self, options: ComputeConfig) -> int:
        """How many workers it has room for, were it empty."""
        places = self.cpus // options.cpus
        return int(min(places, self.gpus // options.gpus) if options.gpus else places)

    def facts(self) -> tuple[str, Mapping[str, Any]]:
        """The machine's own name, and what must be the same on all (provenance.Machine), but for the precision."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        here = NodeAffinitySchedulingStrategy(node_id=self.key, soft=False)
        found: tuple[str, Mapping[str, Any]] = ray.get(
            ray.remote(_facts).options(num_cpus=0, scheduling_strategy=here).remote()
        )
        return found


@contextmanager
def connected(options: ComputeConfig) -> Iterator[None]:
    """Be connected to the cluster of `options` for the length of the block.

    Raises ComputeError if it does not answer, and in place of Ray's own errors in the block. Without an address, or
    RAY_ADDRESS in the environment, one is started on this machine for as long.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    address = options.address or os.environ.get("RAY_ADDRESS")
    before = signal.getsignal(signal.SIGTERM)
    try:
        _check_that_it_listens(address)
        ray.init(address=address or "local", log_to_driver=False, logging_level="error")
    except (OSError, RuntimeError, ValueError) as error:
        raise ComputeError(
            f"The Ray cluster at {address or 'this machine'} (compute.address in params.yaml) cannot be reached: "
            f"{' '.join(str(error).split()).rstrip('.')}. Start one with ray start --head, or leave the address null: "
            "then one is started on this machine."
        ) from error
    finally:
        signal.signal(signal.SIGTERM, before)  # Ray puts its own in place, which ends the process without a word
    ray._private.worker._worker_logs_enabled = False  # else it prints the log of each node that is lost, in any case
    try:
        yield
    except RayError as error:
        first = next(iter(str(error).splitlines()), type(error).__name__).rstrip(".")
        raise ComputeError(f"Ray has failed: {first}. See ray status, and /tmp/ray/session_latest/logs.") from error
    finally:
        ray.shutdown()


def _check_that_it_listens(address: str | None) -> None:
    """Ray itself goes on trying for minutes. Raises OSError, or ValueError of what is no address."""
    if address not in (None, "auto", "local"):
        host, _, port = address.rpartition("://")[2].rpartition(":")
        socket.create_connection((host, int(port)), _SECONDS_TO_ANSWER).close()


def nodes() -> list[Node]:
    """The machines of the cluster that are there now."""
    found = [node for node in ray.nodes() if node["Alive"]]
    return [
        Node(
            host=node["NodeManagerHostname"],
            key=node["NodeID"],
            cpus=node["Resources"].get("CPU", 0),
            gpus=node["Resources"].get("GPU", 0),
        )
        for node in found
    ]


def check_room(options: ComputeConfig) -> int:
    """How many workers the nodes together have room for. Raises ComputeError if that is none."""
    found = nodes()
    room = sum(node.places(options) for node in found)
    if not room:
        there = "; ".join(f"{node.host} has {words(node.cpus, node.gpus)}" for node in found)
        raise ComputeError(
            f"No node of the Ray cluster has room for a worker with {words(options.cpus, options.gpus)}: {there}. "
            "Lower compute.cpus or compute.gpus in params.yaml."
        )
    return room


def words(cpus: float, gpus: float) -> str:
    """So many CPUs and GPUs, in words."""
    return f"{cpus:g} CPUs and {gpus:g} GPUs" if gpus else f"{cpus:g} CPUs"


def _facts() -> tuple[str, Mapping[str, Any]]:
    return platform.node(), Machine(precision="").facts
