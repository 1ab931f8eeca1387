"""The command line: parses arguments and calls stages. Whatever is heavy is imported by the command that needs it."""

from contextlib import nullcontext
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from frostline import __version__
from frostline.commands import cache_commands
from frostline.commands.arguments import BackboneName, Dataset, Images, OfDataset, Size, Why
from frostline.commands.debug_option import Commands, Debug
from frostline.files.atomic import tidy
from frostline.files.outputs import FOLDERS
from frostline.runtime import terminal
from frostline.runtime.ending import ended, when_interrupted
from frostline.runtime.environment import prepare_keras, set_defaults
from frostline.serving.forms.choices import Form, Precision

__all__ = ["app", "main"]

app = typer.Typer(
    cls=Commands,
    help="Measure how deep to freeze a pretrained network for your images.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

BEGIN = "Begin here"
STAGES = "Stages (dvc repro runs them)"
MODELS = "Models and results"

app.add_typer(cache_commands.app, name="cache", rich_help_panel=MODELS)


def _stage(name: str) -> Any:
    """The module of a stage, imported only when it is run: most are heavy."""
    return import_module(f"frostline.stages.{name}")


def _command(name: str) -> Any:
    """The module of what people call by hand, likewise."""
    return import_module(f"frostline.commands.{name}")


@app.callback(invoke_without_command=True)
def _begin(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    debug: Debug = False,  # noqa: ARG001  # its callback has done what it asks for
) -> None:
    if version:
        typer.echo(f"frostline {__version__}")
        raise typer.Exit
    if context.invoked_subcommand == "doctor":  # it says itself what is wrong, and changes nothing
        return
    for folder in FOLDERS:  # what a killed command left there is put right before anything reads it
        tidy(folder)
    prepare_keras()


@app.command(rich_help_panel=BEGIN)
def init(
    folder: Annotated[Path, typer.Argument(help="Where the project goes.")] = Path(),
    images: Annotated[
        Path | None, typer.Option(help="A folder with a sub-folder per class, an archive of one, or a table.")
    ] = None,
    example: Annotated[bool, typer.Option("--example", help="The solar cells, instead of images of your own.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Write over dvc.yaml and params.yaml.")] = False,
) -> None:
    """Make a project for your images: params.yaml filled in, dvc.yaml, git and DVC."""
    _command("init").run(folder, images, example=example, force=force)


@app.command(rich_help_panel=BEGIN)
def plan(
    due: Annotated[bool, typer.Option("--due", help="Only what dvc repro would run now.")] = False,
) -> None:
    """Say how long this machine will take, step by step, and what more effort would cost."""
    _stage("plan").run(due=due)


@app.command(rich_help_panel=STAGES)
def scan(dataset: Dataset) -> None:
    """Record what the data source holds now, so that DVC notices changes."""
    _stage("scan").run(dataset)


@app.command(rich_help_panel=STAGES)
def weigh(backbone: BackboneName) -> None:
    """Record a backbone's weights and the libraries, so that DVC notices changes."""
    _stage("weigh").run(backbone)


@app.command(rich_help_panel=STAGES)
def prepare(dataset: Dataset) -> None:
    """Check every image, set aside what cannot be used, and split."""
    _stage("prepare").run(dataset)


@app.command(rich_help_panel=STAGES)
def preprocess(dataset: Dataset, backbone: BackboneName) -> None:
    """Decode and resize the images for a backbone."""
    _stage("preprocess").run(dataset, backbone)


@app.command(rich_help_panel=STAGES)
def profile(dataset: Dataset, backbone: BackboneName) -> None:
    """Measure size and similarity, and recommend a strategy."""
    _stage("profile").run(dataset, backbone)


@app.command(rich_help_panel=STAGES)
def train(dataset: Dataset, size: Size, backbone: BackboneName) -> None:
    """Search freezing depth and learning rates, and refit the winner."""
    with when_interrupted("finished trials are kept, and the same command resumes"):
        _stage("train").run(dataset, size, backbone)


@app.command(rich_help_panel=STAGES)
def evaluate(dataset: Dataset, size: Size, backbone: BackboneName) -> None:
    """Score a trained model on the test split."""
    _stage("evaluate").run(dataset, size, backbone)


@app.command(rich_help_panel=STAGES)
def labels(dataset: Dataset) -> None:
    """List the training images whose label is probably wrong."""
    _stage("labels").run(dataset)


@app.command(rich_help_panel=STAGES)
def register(dataset: Dataset) -> None:
    """Register the data set's best model as challenger."""
    _stage("register").run(dataset)


@app.command(rich_help_panel=STAGES)
def report() -> None:
    """Write reports/index.html, one page about everything that was found."""
    _stage("report").run()


@app.command(rich_help_panel=MODELS)
def summary() -> None:
    """Print what the last run found, per cell and backbone."""
    _command("summary").run()


@app.command(rich_help_panel=MODELS)
def promote(
    dataset: Dataset,
    why: Why = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen; exit with 1 if refused.")] = False,
) -> None:
    """Make the challenger the champion if it is better on the same test images."""
    if not _command("promote").run(dataset, why, dry_run=dry_run):
        raise typer.Exit(1)


@app.command(rich_help_panel=MODELS)
def rollback(dataset: Dataset, why: Why = "") -> None:
    """Make the champion before this one the champion again."""
    _command("promote").roll_back(dataset, why)


@app.command(rich_help_panel=MODELS)
def history(dataset: Dataset) -> None:
    """List every change of champion: when, who, by which checks."""
    _command("promote").history(dataset)


@app.command(rich_help_panel=MODELS)
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


@app.command(rich_help_panel=MODELS)
def drift(
    images: Images,
    dataset: OfDataset = None,
    form: Annotated[Literal["table", "json"], typer.Option("--format", help="What is printed.")] = "table",
    level: Annotated[float, typer.Option(min=0.001, max=0.5, help="How often chance may pass for drift.")] = 0.01,
) -> None:
    """Ask whether images are still like the test images, and exit with 3 if they are not."""
    if _command("drift").run(images, dataset, form, level):
        raise typer.Exit(3)


@app.command(rich_help_panel=MODELS)
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


@app.command(rich_help_panel=MODELS)
def export(
    dataset: OfDataset = None,
    form: Annotated[Form, typer.Option("--format", help="The kind of file.")] = "onnx",
    precision: Annotated[Precision, typer.Option(help="Of a LiteRT file: see docs/models.md.")] = "float32",
    output: Annotated[Path | None, typer.Option(help="Where it goes; else DATASET.FORMAT.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Keep a file that answers otherwise.")] = False,
) -> None:
    """Write the champion to a file, and check that it answers the same."""
    _command("export").run(dataset, form, precision, output, force=force)


@app.command(rich_help_panel=BEGIN)
def advise(
    folder: Annotated[
        Path, typer.Argument(help="Pictures, in a sub-folder per class, or unlabelled; or a ZIP or TAR of them.")
    ],
    backbone: Annotated[str, typer.Option(help="A Keras application.")] = "vgg16",
    weights: Annotated[str, typer.Option(help="imagenet, or a path to a weights file.")] = "imagenet",
    image_size: Annotated[int, typer.Option(min=1, max=4096, help="Pixels a side that the network sees.")] = 128,
    images: Annotated[int, typer.Option(min=20, help="Look at so many images at most.")] = 400,
    picture: Annotated[Path, typer.Option(help="Where the figure goes.")] = Path("advice.png"),
) -> None:
    """Say which regime a folder of pictures is in, and what to try first."""
    _command("advise").run(folder, backbone, weights, image_size, images, picture)


@app.command(rich_help_panel=MODELS)
def relabel(
    dataset: Dataset,
    table: Annotated[Path, typer.Argument(help="A CSV file with the columns image and correct.")],
) -> None:
    """Take corrected labels back, for the next dvc repro: see docs/data.md."""
    _command("relabel").run(dataset, table)


@app.command(rich_help_panel=BEGIN)
def doctor() -> None:
    """Check all that a run needs: packages, devices, data, weights, stores, room."""
    if not _command("doctor").run():
        raise typer.Exit(1)


def main() -> None:
    """Entry point: what a user can mend, a defect, and an interrupt, is one line and an exit code."""
    terminal.set_up()
    set_defaults()
    with ended():
        app()
