"""What an export may be asked to be. The command line imports this, and nothing that is heavy."""

from typing import Literal

__all__ = ["Form", "Precision"]

Form = Literal["keras", "onnx", "litert"]
Precision = Literal["float32", "float16", "dynamic", "int8"]
"""Of weights and of what is computed: `float16` weights, `dynamic` int8 weights with float32 activations, or `int8`."""
