"""`<export>.json`: what an exported file is, how to ask it, and how it agrees with its version."""

from pathlib import Path

from frostline.config.frozen import Frozen
from frostline.config.types import Resize
from frostline.evaluation.agreement import Agreement
from frostline.registry.models import LoadedVersion
from frostline.serving.forms.choices import Form, Precision
from frostline.serving.forms.kind import Kind

__all__ = ["ExportRecord"]


class ExportRecord(Frozen):
    """An exported file.

    It takes RGB pixels as float32 [N, image_size, image_size, 3] in 0..255 of pictures resized as `resize` says (LiteRT
    takes one, N = 1), and gives `probabilities` float32 [N, K] of `classes`, and `strangeness` float32 [N]: above 1 a
    picture is unknown. `agreement` is None where it was not checked.
    """

    model: str
    version: str
    form: Form
    precision: Precision
    megabytes: float
    classes: tuple[str, ...]
    image_size: int
    resize: Resize
    agreement: Agreement | None

    @classmethod
    def of(cls, version: LoadedVersion, kind: Kind, file: Path, agreement: Agreement | None) -> "ExportRecord":
        """What is known of `file`, an export of `version`."""
        served = version.model_config
        return cls(
            model=version.name,
            version=version.number,
            form=kind.form,
            precision=kind.precision,
            megabytes=file.stat().st_size / 1e6,
            classes=tuple(served["classes"]),
            image_size=served["image_size"],
            resize=served["resize"],
            agreement=agreement,
        )
