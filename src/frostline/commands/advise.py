"""`frostline advise`: the profile of any folder of pictures, in words, with no configuration."""

from io import StringIO
from pathlib import Path

from rich.table import Table
from rich.text import Text
from ruamel.yaml import YAML

from frostline.backbones.catalogue import resolve_image_size
from frostline.backbones.surgery import build_backbone
from frostline.config.schema import BackboneConfig, PrepareConfig, ProfileConfig
from frostline.data.sample import Sample, sample_folder
from frostline.data.sources.kept import is_file, stem, unpacked
from frostline.files.atomic import atomic_file
from frostline.plots.profile import profile_figure
from frostline.records.profile import CellProfile, Profile
from frostline.regimes.cells import MIN_IMAGES, CellImages, make_profile, measure_distance, profile_cell
from frostline.regimes.comparison import prepare_comparison
from frostline.regimes.guide import recommend
from frostline.runtime.precision import resolve_precision
from frostline.runtime.terminal import console, is_unicode, plain
from frostline.scaffold.proposal import dataset_name
from frostline.text.phrases import counted, listed

__all__ = ["WHOLE", "examine", "run"]

_SEED = 20
WHOLE = "all"
"""What a folder is called as one cell."""


def run(folder: Path, backbone: str, weights: str, image_size: int, images: int, picture: Path) -> None:
    """Print regime, evidence and recommendation for `folder`, or an archive, and write the figure to `picture`.

    At most `images` pictures are looked at. Raises DataError if there is none to look at.
    """
    prepare = PrepareConfig()
    config = BackboneConfig(weights=weights, image_size=image_size)
    profile, sample = examine(folder, backbone, config, images, prepare)
    cell = profile.cell(WHOLE)
    screen = console(120)
    screen.print(_evidence(profile, cell, sample))
    for note in _notes(profile, cell, sample, prepare):
        screen.print(Text.assemble(("Note", "bold"), "  ", plain(note)))
    if len(sample.classes) > 1:
        screen.print("\nTo try it, let params.yaml say this, and run [bold]dvc repro[/bold]:\n")
        print(_lines(folder, backbone, weights, profile, cell))  # Rich would wrap them
    with atomic_file(picture) as path:
        profile_figure(profile).savefig(path, format="png")
    screen.print(Text.assemble("The picture is ", plain(str(picture)), "."))


def examine(
    folder: Path, backbone: str, config: BackboneConfig, images: int, prepare: PrepareConfig
) -> tuple[Profile, Sample]:
    """The profile of `folder`, which may be an archive, as one cell; and the sample of at most `images` behind it."""
    thresholds = ProfileConfig(images=images)
    pictures, name = (unpacked(folder), stem(folder)) if is_file(folder) else (folder, folder.resolve().name)
    sample = sample_folder(pictures, images, resolve_image_size(backbone, config), prepare, _SEED)
    network = build_backbone(backbone, config, precision=resolve_precision("auto"), seed=_SEED)
    comparison = prepare_comparison(backbone, config, network, [sample.side])
    measured = comparison.measure(sample.images)
    distance = measure_distance(comparison, measured.compared, sample.groups, thresholds, _SEED)
    seen = CellImages(sample.labels, sample.groups, sample.trainable)
    cell = profile_cell(comparison, distance, measured.seen, seen, thresholds, _SEED)
    return make_profile(name, backbone, comparison, {WHOLE: cell}, thresholds), sample


def _evidence(profile: Profile, cell: CellProfile, sample: Sample) -> Table:
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    left_out = ", ".join(f"{count} {reason}" for reason, count in sample.left_out.items())
    seen = f"{sample.opened} of {counted(sample.files, 'file')} opened" + (
        f", not used: {left_out}" if left_out else ""
    )
    table.add_row("Images", plain(f"{_classes(sample)}; {seen}"))
    table.add_row("Network", f"{profile.application} at {profile.image_size} pixels")
    table.add_row("Size", _size(profile, cell, sample))
    table.add_row("Similarity", _similarity(profile, cell))
    table.add_row("Depth", _depth(cell))
    if len(sample.classes) > 1:
        table.add_row("Regime", cell.regime)
        table.add_row("Try first", " or ".join(cell.strategies), style="bold green")
        table.add_row("Why", cell.reason)
    else:
        for words, row in (
            ("With few images", recommend("small", cell.similarity)),
            ("With many", recommend("large", cell.similarity)),
        ):
            table.add_row(words, f"{' or '.join(row.strategies)}. {row.reason}")
    return table


def _classes(sample: Sample) -> str:
    if not sample.classes:
        return f"about {sum(sample.counts)}, unlabelled"
    shown = [f"{name} {count}" for name, count in zip(sample.classes, sample.counts, strict=True)]
    return f"{sum(sample.counts)} in {counted(len(shown), 'class', 'classes')} ({listed(shown)})"


def _size(profile: Profile, cell: CellProfile, sample: Sample) -> str:
    bounds = profile.thresholds
    if len(sample.classes) < 2:
        return "unknown: it counts images per class, and there are no classes to tell apart"
    kept = ", beside a test split" if sample.trainable != sample.counts else ""
    return (
        f"{cell.size}: {cell.per_class:.0f} in the median class (large from {bounds.large_per_class}), "
        f"{cell.images} in all (large from {bounds.large_in_all}){kept}"
    )


def _similarity(profile: Profile, cell: CellProfile) -> str:
    if cell.shift is None:
        return "unknown: there is no reference for these weights (scripts/make_reference.py makes one)"
    return f"{cell.similarity}: shift {cell.shift} (similar up to {profile.similar_up_to}), against {profile.reference}"


def _depth(cell: CellProfile) -> str:
    if not cell.blocks:
        return "unknown: a probe needs at least two classes with two images each"
    best = cell.blocks[(cell.peak or 1) - 1]
    evidence = max(cell.blocks, key=lambda block: block.log_evidence)
    return (
        f"a linear probe reads the classes best after block {best.block} of {len(cell.blocks)}: "
        f"balanced accuracy {best.balanced_accuracy}; LogME prefers block {evidence.block}"
    )


def _notes(profile: Profile, cell: CellProfile, sample: Sample, prepare: PrepareConfig) -> list[str]:
    """What the numbers cannot say, in words."""
    notes = []
    if not sample.classes:
        notes.append("There are no class folders, so only similarity can be told. Put each class into a sub-folder.")
    elif len(sample.classes) == 1:
        notes.append(
            f"'{sample.classes[0]}' is the only class, so there is nothing to learn to tell apart. Add another class."
        )
    else:
        few = {n: c for n, c in zip(sample.classes, sample.counts, strict=True) if c < prepare.min_images_per_class}
        if few:
            names = listed([f"{name} ({count})" for name, count in few.items()])
            notes.append(
                f"Too few images to train and test on: {names}. dvc repro asks for at least "
                f"{prepare.min_images_per_class} in each class, and what the probe says rests on so few."
            )
    if sample.loose:
        files = counted(sample.loose, "file")
        notes.append(
            f"Beside the class folders {files} without a label {'is' if sample.loose == 1 else 'are'} left out."
        )
    if cell.measured < MIN_IMAGES:
        beside = " beside a test split" if sample.trainable != sample.counts else ""
        seen = counted(cell.measured, "image")
        notes.append(f"{seen}{beside} cannot show whether they are similar: it takes at least {MIN_IMAGES}.")
    if sample.side < profile.image_size:
        notes.append(
            f"The pictures' shorter side is {sample.side:.0f} pixels, but the network sees them enlarged to "
            f"{profile.image_size}. That blurs them; a smaller image_size may serve as well and costs less."
        )
    return notes


def _lines(folder: Path, backbone: str, weights: str, profile: Profile, cell: CellProfile) -> str:
    name = dataset_name(profile.dataset)
    sections = {
        "datasets": {name: {"source": "folder", "path": str(folder.resolve())}},
        "sizes": {WHOLE: "all"},
        "backbones": {backbone: {"weights": weights, "image_size": profile.image_size}},
    }
    lines, writer = StringIO(), YAML()
    writer.width = 10_000  # a long path stays in one line
    writer.allow_unicode = is_unicode()
    writer.dump(sections, lines)
    return (
        f"{lines.getvalue()}search:                        # beside the other keys of this section\n"
        f"  strategies: [{', '.join(cell.order)}]\n"
    )
