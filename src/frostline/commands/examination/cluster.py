"""Rows of `frostline doctor` about the Ray cluster that params.yaml asks for: its nodes, room, code and packages."""

from collections.abc import Iterator
from importlib.util import find_spec

from frostline.commands.examination.row import Row, examine
from frostline.config.compute import ComputeConfig
from frostline.config.schema import Config
from frostline.errors import PackageError
from frostline.provenance import Machine
from frostline.text.phrases import counted

__all__ = ["cluster_rows"]


def cluster_rows(config: Config) -> Iterator[Row]:
    """One row, if trials are not trained in this process. A cluster that is to be started here is started for it."""
    if config.compute.engine == "ray":
        yield examine("cluster", _cluster, config.compute)


def _cluster(options: ComputeConfig) -> str:
    """Raises PackageError without Ray, ComputeError if the cluster is of no use."""
    if find_spec("ray") is None:
        raise PackageError("compute.engine is ray, but Ray is not installed: pip install 'frostline[ray]'")
    from frostline.compute.agreement import check_alike
    from frostline.compute.connection import check_room, connected, nodes, words

    with connected(options):
        room = check_room(options)
        lines = []
        for node in nodes():
            host, facts = node.facts()
            check_alike(Machine(precision="").facts, facts, host)
            places = counted(node.places(options), "worker")
            lines.append(f"{host}: {words(node.cpus, node.gpus)}, room for {places}; code and packages are as here")
    asked = f", of which {options.workers} are asked for" if options.workers else ""
    return "\n".join([f"{counted(len(lines), 'node')} with room for {counted(room, 'worker')}{asked}", *lines])
