"""Which file an export is, and when it is not to be kept."""

from typing import NamedTuple

from frostline.errors import ConfigError
from frostline.evaluation.agreement import Agreement
from frostline.serving.forms.choices import Form, Precision

__all__ = ["LEAST_EQUAL", "STRANGENESS_TOLERANCE", "TOLERANCE", "Kind"]

TOLERANCE = 1e-3
"""By how much a probability of a float32 export may differ."""

STRANGENESS_TOLERANCE = 1e-2
"""By how much the strangeness of a float32 export may differ, where 1 is the bound of the known."""

LEAST_EQUAL = 0.95
"""The share of pictures that an export of rounded numbers must give the same label, and call known alike."""

_SUFFIXES = {"keras": ".keras", "onnx": ".onnx", "litert": ".tflite"}


class Kind(NamedTuple):
    """A form of file, and the precision of the weights in it."""

    form: Form
    precision: Precision = "float32"

    @classmethod
    def of(cls, form: Form, precision: Precision) -> "Kind":
        """Raises ConfigError if there is no such file."""
        if precision != "float32" and form != "litert":
            raise ConfigError(
                f"--format {form} has float32 weights alone, but --precision is {precision}: that goes with "
                "--format litert."
            )
        return cls(form, precision)

    def __str__(self) -> str:
        return self.form if self.precision == "float32" else f"{self.form} {self.precision}"

    def file_name(self, dataset: str) -> str:
        """What the file of the champion of `dataset` is called."""
        rounded = "" if self.precision == "float32" else f"-{self.precision}"
        return f"{dataset}{rounded}{_SUFFIXES[self.form]}"

    def objection(self, found: Agreement) -> str:
        """Why an export that agrees so with its version is not to be kept; empty if it may be."""
        strangeness = found.strangeness_difference or 0.0
        known = 1.0 if found.equal_known is None else found.equal_known
        if self.precision == "float32":
            if found.largest_difference > TOLERANCE or found.other_labels:
                return f"probabilities differ by up to {found.largest_difference:.2g}, where {TOLERANCE:g} is allowed"
            if strangeness > STRANGENESS_TOLERANCE:
                return f"strangeness differs by up to {strangeness:.2g}, where {STRANGENESS_TOLERANCE:g} is allowed"
            return ""
        if found.equal_labels < LEAST_EQUAL:
            return f"{found.equal_labels:.1%} of the labels are the same, where {LEAST_EQUAL:.0%} are asked for"
        if known < LEAST_EQUAL:
            return f"{known:.1%} of the pictures are known or unknown alike, where {LEAST_EQUAL:.0%} are asked for"
        return ""
