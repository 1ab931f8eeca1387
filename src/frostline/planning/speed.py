"""How fast this machine is at what the stages do, from timings of seconds."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module

import numpy as np

from frostline.backbones.surgery import Backbone, build_backbone
from frostline.cache.cuts import Rates
from frostline.cache.rates import measure_rates
from frostline.config.schema import Config, DatasetConfig
from frostline.data.images import load_square, quiet_decoders
from frostline.data.parallel import cores
from frostline.data.sources import open_source
from frostline.errors import ImageError
from frostline.runtime.precision import resolve_precision
from frostline.stores.addresses import cache_folder

__all__ = ["Network", "file_seconds", "startup_seconds", "time_network"]

_FILES = 48
_PIXELS = 32


@dataclass(frozen=True, eq=False)
class Network:
    """A backbone with random weights, and how fast it runs."""

    backbone: Backbone
    rates: Rates
    precision: str

    @property
    def forward(self) -> float:
        """Seconds of one image's forward pass."""
        return sum(self.backbone.flops_per_block()) / self.rates.flops


def startup_seconds(packages: Sequence[str]) -> float:
    """How long importing `packages` takes, of those that are not imported yet."""
    return _timed(lambda: [import_module(name) for name in packages])


def file_seconds(options: DatasetConfig, config: Config, size: int) -> float:
    """How long a file of a data set takes to be packed at `size` pixels, on all cores: of some, spread over the set."""
    source = open_source(options)
    records = source.records()
    some = [records[place] for place in np.linspace(0, len(records) - 1, min(_FILES, len(records))).astype(int)]
    resize, bounds = config.preprocess.resize, config.prepare

    def pack() -> None:
        for record in some:
            with suppress(ImageError):  # such a file takes about as long as others
                file = source.root / record.image
                load_square(file, size, resize, min_side=bounds.min_side, max_pixels=bounds.max_pixels)

    with quiet_decoders():
        return _timed(pack) / len(some) / cores()


def time_network(name: str, config: Config) -> Network:
    """Build the backbone that `config` calls `name`, whatever its weights, and run it twice on a batch of noise."""
    precision = resolve_precision(config.train.precision)
    backbone = build_backbone(name, config.backbone(name), precision=precision, seed=config.seed, random=True)
    side = backbone.image_size
    noise = np.random.default_rng(config.seed).integers(256, size=(_PIXELS, side, side, 3), dtype=np.uint8)
    return Network(backbone, measure_rates(backbone, noise, cache_folder(config.stores)), precision)


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
