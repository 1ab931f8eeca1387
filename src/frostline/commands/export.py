"""`frostline export`: the champion as a file for other runtimes."""

from pathlib import Path

from frostline.config.load import load_config
from frostline.data.sources import open_source
from frostline.data.test_set import read_test_set
from frostline.registry.models import load_champion
from frostline.runtime.progress import say
from frostline.serving.export import Format, export
from frostline.tracking.runs import Tracker

__all__ = ["run"]


def run(dataset: str | None, form: Format, output: Path | None) -> None:
    """Write the champion to `output`, or `<data set>.<format>`, and compare the two on all test images.

    Raises RegistryError if there is no champion, ExportError if the export answers otherwise.
    """
    config = load_config()
    name = config.dataset_name(dataset)
    path = output or Path(f"{name}.{form}")
    version = load_champion(Tracker.open(config.stores, name), name)
    test_set = read_test_set(Path("data/prepared") / name, open_source(config.dataset(name)))
    difference, compared = export(version, path, form, test_set.paths)
    served, unread = version.model_config, len(test_set.paths) - compared
    size = served["image_size"]
    more = f"; {unread} more cannot be read by it" if unread else ""
    say(
        f"{path}: {version.name} version {version.number}; on {compared} test images no label differs, and "
        f"probabilities by {difference:.1e} at most{more}. It takes pixels [N, {size}, {size}, 3] from 0 to 255 "
        f"({served['resize']}) and gives probabilities [N, {len(served['classes'])}] of {', '.join(served['classes'])}."
    )
