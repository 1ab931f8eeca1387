"""The commands that work on models and results. The command line imports this, and nothing that is heavy."""

from contextlib import nullcontext
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from frostline.commands.arguments import Dataset, Images, OfDataset, Why
from frostline.runtime.ending import when_interrupted
from frostline.serving.forms.choices import Form, Precision

__all__ = ["PANEL", "app"]

PANEL = "Models and results"

app = typer.Typer()


def _command(name: str) -> Any:
    """The module of a command, imported only when it is run: most are heavy."""
    return import_module(f"frostline.commands.{name}")


@app.command(rich_help_panel=PANEL)
def summary() -> None:
    """Print what the last run found, per cell and backbone."""
    _command("summary").run()


@app.command(rich_help_panel=PANEL)
def promote(
    dataset: Dataset,
    why: Why = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen; exit with 1 if refused.")] = False,
) -> None:
    """Make the challenger the champion if it is better on the same test images."""
    if not _command("promote").run(dataset, why, dry_run=dry_run):
        raise typer.Exit(1)


@app.command(rich_help_panel=PANEL)
def rollback(dataset: Dataset, why: Why = "") -> None:
    """Make the champion before this one the champion again."""
    _command("promote").roll_back(dataset, why)


@app.command(rich_help_panel=PANEL)
def history(dataset: Dataset) -> None:
    """List every change of champion: when, who, by which checks."""
    _command("promote").history(dataset)


@app.command(rich_help_panel=PANEL)
def predict(
    images: Images,
    dataset: OfDataset = None,
    form: Annotated[
        Literal["table", "csv", "json", "jsonl"] | None, typer.Option("--format", help="What is printed; else a table.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="A file .csv or .jsonl, for many images: see docs/models.md.")
    ] = None,
) -> None:
    """Label images with the champion."""
    with when_interrupted("rows that are written are kept, and the same command goes on") if output else nullcontext():
        if not _command("predict").run(images, dataset, form, output):
            raise typer.Exit(1)


@app.command(rich_help_panel=PANEL)
def drift(
    images: Images,
    dataset: OfDataset = None,
    form: Annotated[Literal["table", "json"], typer.Option("--format", help="What is printed.")] = "table",
    level: Annotated[float, typer.Option(min=0.001, max=0.5, help="How often chance may pass for drift.")] = 0.01,
) -> None:
    """Ask whether images are still like the test images, and exit with 3 if they are not."""
    if _command("drift").run(images, dataset, form, level):
        raise typer.Exit(3)


@app.command(rich_help_panel=PANEL)
def serve(
    dataset: OfDataset = None,
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for all.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8080,
    megabytes: Annotated[float, typer.Option(min=0.001, max=1000, help="Largest request.")] = 32,
    images: Annotated[int, typer.Option(min=1, help="Most pictures in a request.")] = 64,
    seconds: Annotated[float, typer.Option(min=0.001, max=86400, help="Longest wait for an answer.")] = 60,
    grace: Annotated[float, typer.Option(min=0.1, max=3600, help="Longest wait for answers when it is stopped.")] = 5,
    poll: Annotated[float, typer.Option(min=0, max=86400, help="Look for a new champion so often; 0: on SIGHUP.")] = 30,
    window: Annotated[int, typer.Option(min=50, max=1_000_000, help="GET /drift compares the last so many.")] = 500,
    access_log: Annotated[bool, typer.Option("--access-log/--no-access-log", help="A line of JSON a request.")] = True,
) -> None:
    """Serve the champion over HTTP, in MLflow's JSON."""
    from frostline.serving.limits import ServingLimits

    limits = ServingLimits(megabytes=megabytes, images=images, seconds=seconds, grace=grace, window=window)
    _command("serve").run(dataset, (host, port), limits, poll, access_log=access_log)


@app.command(rich_help_panel=PANEL)
def export(
    dataset: OfDataset = None,
    form: Annotated[Form, typer.Option("--format", help="The kind of file.")] = "onnx",
    precision: Annotated[Precision, typer.Option(help="Of a LiteRT file: see docs/models.md.")] = "float32",
    output: Annotated[Path | None, typer.Option(help="Where it goes; else DATASET.FORMAT.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Keep a file that answers otherwise.")] = False,
) -> None:
    """Write the champion to a file, and check that it answers the same."""
    _command("export").run(dataset, form, precision, output, force=force)


@app.command(rich_help_panel=PANEL)
def relabel(
    dataset: Dataset,
    table: Annotated[Path, typer.Argument(help="A CSV file with the columns image and correct.")],
) -> None:
    """Take corrected labels back, for the next dvc repro: see docs/data.md."""
    _command("relabel").run(dataset, table)
