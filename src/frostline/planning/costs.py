"""Seconds that each step will take, by what it does: files opened, images passed through a network, studies."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

from frostline.config.effort import EFFORTS
from frostline.config.schema import Config
from frostline.data.parallel import cores
from frostline.data.views import views_of
from frostline.planning.counts import Counts, count_images
from frostline.planning.speed import Network, file_seconds, startup_seconds, time_network
from frostline.planning.steps import Step
from frostline.regimes.guide import classify_size
from frostline.runtime.devices import accelerators
from frostline.search.estimate import estimate_cell
from frostline.search.schedule import Schedule
from frostline.text.phrases import counted

__all__ = ["Costs"]

# Of a file, in times of packing it: inspecting it hashes it, too.
_INSPECTING = 1.3
# Seconds that `benchmarks.plan` measured beside what is computed below: DVC, files, figures, lines in MLflow's store.
_BESIDE = {
    "prepare": 6.0,
    "preprocess": 4.5,
    "profile": 14.0,
    "train": 10.0,
    "evaluate": 12.0,
    "labels": 12.0,
    "register": 11.0,
    "report": 5.0,
}
_WITHOUT_KERAS = ("prepare", "preprocess", "report")


@dataclass(frozen=True)
class Costs:
    """What the machine was found to do.

    `startup` is the seconds that stages without Keras take to begin, and that stages with Keras take. By data set
    there are the images (`counts`) and the seconds a file takes on all cores (`files`), by name the `networks`.
    """

    config: Config
    startup: tuple[float, float]
    counts: Mapping[str, Counts]
    files: Mapping[str, float]
    networks: Mapping[str, Network]

    @classmethod
    def measure(cls, config: Config) -> Self:
        """Time for some seconds what `config` asks for. Raises DataError or BackboneError where it is not there."""
        light = startup_seconds(["mlflow", "matplotlib.figure"])
        heavy = light + startup_seconds(["keras"])
        networks = {name: time_network(name, config) for name in config.backbones}
        side = max(network.backbone.image_size for network in networks.values())
        found = {dataset: count_images(config, dataset) for dataset in config.datasets}
        counts = {dataset: each for dataset, each in found.items() if each}
        files = {dataset: file_seconds(config.dataset(dataset), config, side) for dataset in counts}
        return cls(config, (light, heavy), counts, files, networks)

    def seconds(self, step: Step) -> float | None:
        """Of one step; None where its data set's files are not on this machine yet."""
        fixed = self.startup[step.stage not in _WITHOUT_KERAS] + _BESIDE[step.stage]
        if step.dataset is None:
            return fixed
        counts = self.counts.get(step.dataset)
        return None if counts is None else fixed + self._work(step, step.dataset, counts)

    def with_effort(self, effort: str) -> Self:
        """The same, if `search.effort` were that word."""
        search = self.config.search.model_copy(update={"effort": EFFORTS[effort]})
        return replace(self, config=self.config.model_copy(update={"search": search}))

    @property
    def machine(self) -> str:
        """What it runs on, in words."""
        precisions = dict.fromkeys(network.precision for network in self.networks.values())
        return f"{counted(cores(), 'core')}, {', '.join(accelerators()) or 'no GPU'}, {', '.join(precisions)}"

    def _work(self, step: Step, dataset: str, counts: Counts) -> float:
        packing = counts.images * self.files[dataset]
        if step.backbone is None:
            return _INSPECTING * packing if step.stage == "prepare" else 0.0
        if step.stage == "preprocess":
            return packing
        network = self.networks[step.backbone]
        if step.size is None:
            looked_at = min(self.config.profile.images, counts.images - counts.test)
            return network.rates.tracing + looked_at * network.forward
        work = self._study if step.stage == "train" else self._answers
        return network.rates.tracing + work(step.size, dataset, counts, network)

    def _study(self, name: str, dataset: str, counts: Counts, network: Network) -> float:
        config = self.config.for_dataset(dataset)
        size = counts.cell(config.size(name), config.train)
        schedule = Schedule(config.search, network.backbone.depth, None)
        limit = int(config.stores.cache_gigabytes * 1e9)
        return estimate_cell(size, network.backbone, schedule, network.rates, limit).seconds

    def _answers(self, name: str, dataset: str, counts: Counts, network: Network) -> float:
        """Of the test images: frozen blocks see each once, for all sizes; the guide's network, thawed, once more."""
        config = self.config.for_dataset(dataset)
        views = views_of(*config.search.views) if config.search.test_views == "same" else ("identity",)
        first = name == next(iter(config.sizes))
        images = counts.cell(config.size(name), config.train).images
        size = classify_size(images / max(1, len(counts.training)), images, config.profile)
        thawed = bool(config.search.effort.thawed) and size == "large"
        return len(views) * counts.test * network.forward * (first + thawed)
