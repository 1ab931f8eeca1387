"""A Ray cluster of three nodes on this machine, which lose their workers, or are lost."""

import os
import socket
from collections.abc import Sequence
from contextlib import suppress
from random import Random

import psutil
from ray.cluster_utils import Cluster

TRAINING = ("ray::Worker.begin", "ray::Worker.step")
"""How Ray names the process of an actor that trains: after what it was called for."""


class Nodes:
    """The head, which has no room for a worker, and two nodes with room for one each. The address stays the same.

    `seen` are processes of workers that were found so far.
    """

    def __init__(self) -> None:
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        with socket.create_server(("", 0)) as free:
            self._port = free.getsockname()[1]
        self.seen: set[psutil.Process] = set()
        self.start()

    def start(self) -> None:
        """Start all three."""
        head = {"num_cpus": 0, "gcs_server_port": self._port, "include_dashboard": False}
        self._cluster = Cluster(initialize_head=True, head_node_args=head)
        for _ in range(2):
            self._cluster.add_node(num_cpus=1)
        self.address = self._cluster.address

    def workers(self, names: Sequence[str] = ("ray::Worker",)) -> list[psutil.Process]:
        """Processes of this cluster's actors, whose names begin with one of `names`."""
        found = []
        for node in self._cluster.list_all_nodes():
            with suppress(psutil.NoSuchProcess):
                raylet = psutil.Process(node.all_processes["raylet"][0].process.pid)
                found += [child for child in raylet.children() if _name(child).startswith(tuple(names))]
        self.seen.update(found)
        return found

    def lose_one(self, random: Random) -> None:
        """Kill a node that has room for a worker, with all that runs on it. Another joins."""
        nodes = sorted(self._cluster.worker_nodes, key=lambda node: node.node_id)
        self._cluster.remove_node(random.choice(nodes), allow_graceful=False)
        self._cluster.add_node(num_cpus=1)

    def lose_head(self) -> None:
        """Kill the head, and with it the cluster: other nodes go on until they notice."""
        self._cluster.remove_node(self._cluster.head_node, allow_graceful=False)

    def close(self) -> None:
        for node in self._cluster.list_all_nodes()[::-1]:
            self._cluster.remove_node(node, allow_graceful=False)


def _name(process: psutil.Process) -> str:
    with suppress(psutil.Error):
        return (process.cmdline() or [""])[0]
    return ""
