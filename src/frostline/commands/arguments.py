"""Arguments and options that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["BackboneName", "Dataset", "Images", "OfDataset", "Size", "Why"]

Dataset = Annotated[str, typer.Argument(help="A key of 'datasets' in params.yaml.")]
Size = Annotated[str, typer.Argument(help="A key of 'sizes' in params.yaml.")]
BackboneName = Annotated[str, typer.Argument(help="A key of 'backbones' in params.yaml.")]
OfDataset = Annotated[str | None, typer.Option("--dataset", help="Whose champion; needed only if there are several.")]
Why = Annotated[str, typer.Option(help="A remark for the history.")]
Images = Annotated[list[Path], typer.Argument(help="Image files, folders, patterns in quotes, or CSV tables.")]
