"""`frostline export`: the champion as a file for other runtimes."""

from collections.abc import Sequence
from pathlib import Path

from frostline.config.load import load_config
from frostline.config.schema import Config
from frostline.data.sources import open_source
from frostline.data.test_set import read_test_set, training_files
from frostline.registry.models import LoadedVersion, load_champion
from frostline.runtime.progress import say
from frostline.serving.export import CALIBRATION, Material, export
from frostline.serving.forms.choices import Form, Precision
from frostline.serving.forms.kind import Kind
from frostline.serving.forms.record import ExportRecord
from frostline.tracking.runs import Tracker

__all__ = ["material_of", "run"]


def run(dataset: str | None, form: Form, precision: Precision, output: Path | None, *, force: bool) -> None:
    """Write the champion to `output`, or `<data set>.<form>`, and compare the two on all test images.

    Raises ConfigError if there is no such file, RegistryError if there is no champion, ExportError if the export
    answers otherwise and not `force`.
    """
    config = load_config()
    name, kind = config.dataset_name(dataset), Kind.of(form, precision)
    path = output or Path(kind.file_name(name))
    version = load_champion(Tracker.open(config.stores, name), name)
    record = export(version, path, kind, material_of(config, name, version), force=force)
    say(f"{path} ({record.megabytes:.1f} MB): {version.name} version {version.number} as {kind}; {_verdict(record)}")
    shape = f"[{'1' if form == 'litert' else 'N'}, {record.image_size}, {record.image_size}, 3]"
    say(
        f"It takes pixels {shape} from 0 to 255 ({record.resize}) as float32, and gives probabilities of "
        f"{', '.join(record.classes)}. {path}.json says all of this."
    )


def material_of(config: Config, name: str, version: LoadedVersion) -> Material:
    """The data set's pictures that are here. Test images that the version was trained on tell nothing."""
    prepared = Path("data/prepared") / name
    if not (prepared / "manifest.csv").exists():
        return Material(test=None)
    source = open_source(config.dataset(name))
    test = read_test_set(prepared, source).without(version.trained_on).of_classes(version.model_config["classes"])
    training = training_files(prepared, source, CALIBRATION, config.seed)
    return Material(test if _are_here(test.paths) else None, training if _are_here(training) else (), config.seed)


def _are_here(paths: Sequence[Path]) -> bool:
    """Whether any of them is: some that are gone are an error, all of them are on another machine."""
    return any(path.exists() for path in paths)


def _verdict(record: ExportRecord) -> str:
    if not (found := record.agreement):
        return "not checked."
    return (
        f"of {found.images} test images {found.equal_labels:.1%} get the same label, probabilities differ by "
        f"{found.largest_difference:.1e} at most and {found.mean_difference:.1e} in the mean; balanced accuracy "
        f"{found.balanced_accuracy:.3f}, and {found.original_balanced_accuracy:.3f} of the version: a loss of "
        f"{found.loss} (95%)."
    )
