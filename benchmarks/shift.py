"""How stable the shift is: over data sets, numbers of images, and image sizes.

    python -m benchmarks.shift --dogs-cats FOLDER --imagenet-sample FOLDER

measures VGG16's shift for sets that are similar to ImageNet (dogs and cats; one half of an ImageNet sample against the
other) and different from it (solar cells, scikit-learn's digits, noise), and for harder ones, with its bootstrap
interval. As in frostline, pictures much smaller than the image size are compared at their own. Writes
`shift.csv` and `shift.png`, and prints the table of `shift.md`. Sets of photographs whose folder is not given are left
out, with a word.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from PIL import Image, ImageFilter

from frostline.backbones.surgery import build_backbone
from frostline.config.schema import BackboneConfig, ProfileConfig
from frostline.data.images import decode, to_square
from frostline.data.sources.elpv import ElpvSource
from frostline.plots.style import INK, chart, legend
from frostline.regimes.activations import Activations
from frostline.regimes.comparison import prepare_comparison
from frostline.regimes.guide import classify_similarity
from frostline.regimes.reference import Reference, channel_moments
from frostline.regimes.shift import measure_shift
from frostline.runtime.precision import resolve_precision
from frostline.runtime.progress import say

from .measuring import Option, markdown_table, parse
from .sets import DOGS_CATS
from .training import BACKBONE

SIZES = (96, 128, 160, 224)
COUNTS = (20, 50, 100, 200, 400, 1000)
MANY_AT = 96  # pixels: the size at which 1,000 images are looked at; at the others, 400
SEED = 20
THRESHOLD = ProfileConfig().similar_up_to.sample
Load = Callable[[int, int], np.ndarray]  # (number of images, pixels a side)


def main() -> None:
    options = parse(
        __doc__,
        sizes=Option(SIZES, smallest=[MANY_AT], help="image sizes in pixels"),
        most=Option(1000, smallest=20, help="images of a set"),
        dogs_cats=DOGS_CATS,
        imagenet_sample=Option(kind=Path, help="a folder of ImageNet pictures"),
    )
    chosen = sets(options.dogs_cats, options.imagenet_sample)
    rows: list[dict[str, object]] = []
    for size in options.sizes:
        config = BackboneConfig(image_size=size)
        backbone = build_backbone(BACKBONE, config, precision=resolve_precision("auto"))
        for (name, expected), (load, side) in chosen.items():
            images = load(min(options.most, 1000 if size == MANY_AT else 400), size)
            say(f"{name}: {len(images)} images at {size} pixels")
            comparison = prepare_comparison(BACKBONE, config, backbone, [side or size])
            activations = comparison.measure(images).compared
            reference = comparison.reference
            if name == "ImageNet, half against half":
                activations, reference = halves(activations)
            for count in COUNTS:
                if count <= len(activations.means[0]):
                    shift = measure_shift(activations.of(np.arange(count)), reference, SEED).score
                    verdict = classify_similarity(shift, THRESHOLD)
                    rows.append(
                        {"set": name, "expected": expected, "pixels": size, "images": count, "verdict": verdict}
                        | {part: round(value, 4) for part, value in shift.model_dump().items()}
                    )
    table = pd.DataFrame(rows)
    table.to_csv(options.output / "shift.csv", index=False)
    figure(table).savefig(options.output / "shift.png")
    print(markdown_table(shown(table)))


def sets(dogs_cats: Path | None, imagenet_sample: Path | None) -> dict[tuple[str, str], tuple[Load, int | None]]:
    """Name and expected verdict of each set, with what loads it, and its pictures' side in pixels (None: as asked)."""
    found: dict[tuple[str, str], tuple[Load, int | None]] = {}
    if dogs_cats:
        found["dogs and cats", "similar"] = (of_files(sorted(dogs_cats.glob("*/*.jpg"))), 300)
    else:
        say("The dogs and cats are left out: --dogs-cats names their folder.")
    if imagenet_sample:
        sample = sorted(imagenet_sample.glob("*.jpg"))
        found |= {
            ("ImageNet, half against half", "similar"): (of_files(sample), 256),
            ("ImageNet, grey", "-"): (of_files(sample, lambda image: image.convert("L")), 256),
            ("ImageNet, shrunk to 32 pixels", "-"): (of_files(sample, lambda image: image.resize((32, 32))), 32),
            ("ImageNet, edges only", "-"): (of_files(sample, edges), 256),
        }
    else:
        say("The ImageNet sample is left out: --imagenet-sample names its folder.")
    solar = ElpvSource.find(threshold=0.5)
    cells = [solar.root / record.image for record in solar.records()]
    return found | {
        ("solar cells", "different"): (of_files(cells), 300),
        ("digits", "different"): (digits, 8),
        ("noise", "different"): (noise, None),
    }


def of_files(files: list[Path], change: Callable[[Image.Image], Image.Image] = lambda image: image) -> Load:
    def load(count: int, size: int) -> np.ndarray:
        chosen = np.random.default_rng(SEED).permutation(len(files))[:count]
        pictures = (change(decode(files[each], min_side=1, max_pixels=10**8)).convert("RGB") for each in chosen)
        return np.stack([to_square(picture, size, "stretch") for picture in pictures])

    return load


def edges(image: Image.Image) -> Image.Image:
    return image.convert("L").filter(ImageFilter.FIND_EDGES)


def digits(count: int, size: int) -> np.ndarray:
    from sklearn.datasets import load_digits

    pictures = (load_digits().images * (255 / 16)).astype(np.uint8)
    chosen = np.random.default_rng(SEED).permutation(len(pictures))[:count]
    return np.stack([to_square(Image.fromarray(pictures[each]).convert("RGB"), size, "stretch") for each in chosen])


def noise(count: int, size: int) -> np.ndarray:
    return np.random.default_rng(SEED).integers(0, 256, (min(count, 400), size, size, 3), dtype=np.uint8)


def halves(activations: Activations) -> tuple[Activations, Reference]:
    """One half of the images, and the reference made of the other."""
    middle = len(activations.means[0]) // 2
    other = activations.of(np.arange(middle, 2 * middle))
    return activations.of(np.arange(middle)), Reference(*channel_moments(other), "the other half")


def figure(table: pd.DataFrame) -> Figure:
    figure, axes = chart(9.5, 5.0, "Shift against number of images (96 pixels)")
    for name, group in table[table["pixels"] == MANY_AT].groupby("set", sort=False):
        errors = [group["value"] - group["low"], group["high"] - group["value"]]
        axes.errorbar(group["images"], group["value"], errors, marker="o", capsize=3, label=name)
    axes.axhline(THRESHOLD, color=INK, linewidth=1, linestyle="--", label=f"similar up to {THRESHOLD}")
    axes.set_xscale("log")
    axes.set_yscale("symlog", linthresh=0.01)
    axes.set_ylim(bottom=0)
    axes.set_yticks([0, 0.01, 0.1, 1], ["0", "0.01", "0.1", "1"])
    axes.set_xticks(COUNTS, [str(count) for count in COUNTS])
    axes.set_xlabel("images")
    axes.set_ylabel("shift, with 95% interval")
    legend(axes)
    return figure


def shown(table: pd.DataFrame) -> pd.DataFrame:
    """One row per set and image size, one column per number of images."""
    table = table.assign(cell=[f"{row.value:.3g} [{row.low:.3g}, {row.high:.3g}]" for row in table.itertuples()])
    keys = ["set", "pixels"]
    wide = table.pivot_table(index=keys, columns="images", values="cell", aggfunc="first", sort=False)
    wide = wide.rename(columns="{} images".format)
    wide["verdicts"] = table.groupby(keys)["verdict"].agg(lambda verdicts: ", ".join(dict.fromkeys(verdicts)))
    return wide.reset_index().rename(columns={"pixels": "px"})


if __name__ == "__main__":
    main()
