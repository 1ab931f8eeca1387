"""The same network in other engines on the CPU: OpenVINO (float32, bfloat16) and ONNX Runtime (float32).

Optional: `pip install openvino`, `pip install onnxruntime tf2onnx`. Networks are exported from Keras on TensorFlow.
"""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from frostline.backbones.catalogue import application
from frostline.backbones.surgery import Backbone
from frostline.backbones.weights import copy_weights
from frostline.runtime.progress import say

ENGINES = {"openvino": ("openvino",), "onnxruntime": ("onnxruntime", "tf2onnx")}
"""Each with the packages it needs."""

Forward = Callable[[np.ndarray], np.ndarray]  # images [N, S, S, 3] in 0..255 to feature maps


def load_engines(names: list[str], backbone: Backbone, batch: int, folder: Path) -> dict[str, dict[str, Forward]]:
    """The forward pass of a float32 `backbone` by precision and engine; those not installed are left out, with a word.

    `batch` images go in at a time. Networks are exported into `folder`.
    """
    loaded: dict[str, dict[str, Forward]] = {"float32": {}, "mixed_bfloat16": {}}
    for name in names:
        missing = " ".join(package for package in ENGINES[name] if find_spec(package) is None)
        if missing:
            say(f"{missing} is not installed: pip install {missing}")
        else:
            load = {"openvino": _openvino, "onnxruntime": _onnxruntime}[name]
            for precision, forward in load(backbone, batch, folder).items():
                loaded[precision][name] = forward
    return loaded


def _openvino(backbone: Backbone, batch: int, folder: Path) -> dict[str, Forward]:
    import openvino

    path = folder / "network.xml"
    backbone.network.export(str(path), format="openvino", verbose=False)
    core = openvino.Core()
    network = core.read_model(path)
    network.reshape([batch, backbone.image_size, backbone.image_size, 3])

    def compiled(hint: str) -> Forward:
        run = core.compile_model(network, "CPU", {"INFERENCE_PRECISION_HINT": hint})
        return lambda images: run(images.astype(np.float32))[0].copy()

    return {"float32": compiled("f32"), "mixed_bfloat16": compiled("bf16")}


def _onnxruntime(backbone: Backbone, batch: int, folder: Path) -> dict[str, Forward]:
    import onnxruntime

    # Without the preprocessing: tf2onnx makes a constant in Keras's a second input, which is then nobody's to give.
    path = str(folder / "network.onnx")
    constructor, preprocess = application(backbone.spec)
    shape = (backbone.image_size, backbone.image_size, 3)
    bare = constructor(weights=None, include_top=False, input_shape=shape)
    copy_weights(backbone.network, bare)
    bare.predict_on_batch(np.zeros((batch, *shape), dtype=np.float32))  # Keras exports only what was called
    bare.export(path, format="onnx", verbose=False)
    options = onnxruntime.SessionOptions()
    # Else its threads go on turning idly for a while after the pass, at the cost of what is measured next.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return {"float32": lambda images: session.run(None, {name: preprocess(images.astype(np.float32))})[0]}
