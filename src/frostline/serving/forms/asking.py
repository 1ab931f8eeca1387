"""Ask an exported file, in the runtime that it is for."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.data.arrays import Told
from frostline.data.parallel import cores
from frostline.errors import ExportError
from frostline.registry.network import answers_of, as_answers, together
from frostline.serving.forms.choices import Form
from frostline.text.words import one_line

__all__ = ["Ask", "interpreter_of", "open_export"]

Ask = Callable[[NDArray[np.float32]], Told]
"""Pixels [N, S, S, 3] in 0..255 to probabilities and strangeness."""


def open_export(path: Path, form: Form) -> Ask:
    """What asks the file at `path`. Raises ExportError if it is an ONNX file that asks for more than pixels."""
    return {"keras": _keras, "onnx": _onnx, "litert": _litert}[form](path)


def interpreter_of(**model: Any) -> Any:
    """LiteRT's interpreter of a `model_path` or `model_content`, on all cores that this process may use."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(**model, num_threads=cores())
    interpreter.allocate_tensors()
    return interpreter


def _keras(path: Path) -> Ask:
    import keras

    network = keras.saving.load_model(path, compile=False)
    return lambda pixels: answers_of(network, pixels)


def _onnx(path: Path) -> Ask:
    import onnxruntime

    try:
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime has a class for each of its codes
        raise ExportError(
            f"The ONNX export cannot be read ({one_line(error)}). Some layers have no form in ONNX, such as those of "
            "KerasHub's MobileNet: use --format keras."
        ) from error
    names = [each.name for each in session.get_inputs()]
    if len(names) > 1:
        raise ExportError(f"The ONNX export asks for {', '.join(names)}, where pixels alone should do: export keras.")
    told = [each.name for each in session.get_outputs()]

    def ask(pixels: NDArray[np.float32]) -> Told:
        return as_answers(dict(zip(told, session.run(None, {names[0]: pixels}), strict=True)))

    return ask


def _litert(path: Path) -> Ask:
    asked = interpreter_of(model_path=str(path)).get_signature_runner()
    (given,) = asked.get_input_details()

    return lambda pixels: together([as_answers(asked(**{given: picture[None]})) for picture in pixels])
