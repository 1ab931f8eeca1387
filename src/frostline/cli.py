"""The command line: parses arguments and calls stages. Whatever is heavy is imported by the command that needs it."""

from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from frostline import __version__
from frostline.commands import cache_commands, model_commands
from frostline.commands.arguments import BackboneName, Dataset, Size
from frostline.commands.debug_option import Commands, Debug
from frostline.files.atomic import tidy
from frostline.files.outputs import FOLDERS
from frostline.runtime import terminal
from frostline.runtime.ending import ended, when_interrupted
from frostline.runtime.environment import prepare_keras, set_defaults

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


@app.command(rich_help_panel=BEGIN)
def doctor() -> None:
    """Check all that a run needs: packages, devices, data, weights, stores, room."""
    if not _command("doctor").run():
        raise typer.Exit(1)


app.add_typer(model_commands.app)
app.add_typer(cache_commands.app, name="cache", rich_help_panel=model_commands.PANEL)


def main() -> None:
    """Entry point: what a user can mend, a defect, and an interrupt, is one line and an exit code."""
    terminal.set_up()
    set_defaults()
    with ended():
        app()
