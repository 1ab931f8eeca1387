"""Make reference statistics: what a backbone's channels look like on a sample of the data it was pretrained on.

    python scripts/make_reference.py IMAGES --data "ImageNet (one image per class)"

writes `src/frostline/regimes/references/<backbone>.npz`, where `frostline profile` and `frostline advise` find it by
the weights' SHA-256. IMAGES is a folder of pictures, searched to any depth. The package's own file was made for VGG16
with the 1,000 pictures of the public repository EliSchwartz/imagenet-sample-images; it holds statistics, no pixels.
"""

import argparse
import hashlib
from pathlib import Path

import numpy as np

from frostline import __version__
from frostline.runtime.environment import set_defaults

set_defaults()

from frostline.backbones.surgery import build_backbone  # noqa: E402
from frostline.config.schema import BackboneConfig, PrepareConfig  # noqa: E402
from frostline.data.images import load_square  # noqa: E402
from frostline.data.inspection import Inspection, inspect_records  # noqa: E402
from frostline.data.parallel import map_files  # noqa: E402
from frostline.data.sources import Record  # noqa: E402
from frostline.errors import DataError, FrostlineError  # noqa: E402
from frostline.regimes.activations import measure  # noqa: E402
from frostline.regimes.reference import FOLDER, write_references  # noqa: E402
from frostline.runtime.progress import say  # noqa: E402

SIZES = (32, 48, 64, 96, 128, 160, 224)
RESIZE = "stretch"
PREPARE = PrepareConfig(min_side=1)
ENDINGS = {".jpg", ".jpeg", ".png", ".webp"}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("images", type=Path)
    arguments.add_argument("--data", required=True, help="what the pictures are, in words")
    arguments.add_argument("--backbone", default="vgg16")
    arguments.add_argument("--weights", default="imagenet", help="imagenet, or a path to a weights file")
    arguments.add_argument("--sizes", type=pixels, nargs="+", default=SIZES, help="image sizes in pixels")
    arguments.add_argument("--output", type=Path)
    options = arguments.parse_args()
    try:
        make(options)
    except (FrostlineError, OSError) as error:
        arguments.exit(1, f"Error: {error}\n")


def make(options: argparse.Namespace) -> None:
    """Measure the readable pictures at every size and write the file. Raises DataError if there is none."""
    names = sorted(file for file in options.images.rglob("*") if file.suffix.lower() in ENDINGS)
    records = [Record(image=str(file.relative_to(options.images)), label="") for file in names]
    files, digests = [], []
    for record, found in inspect_records(records, options.images, PREPARE):
        if isinstance(found, Inspection):
            files.append(options.images / record.image)
            digests.append(bytes.fromhex(found.sha256))
        else:
            say(f"{record.image} is left out: {found}")
    if not files:
        raise DataError(f"{options.images} holds no picture that can be read ({', '.join(sorted(ENDINGS))}).")
    by_size = {}
    for size in options.sizes:
        backbone = build_backbone(options.backbone, BackboneConfig(weights=options.weights, image_size=size))

        def load(file: Path, size: int = size) -> np.ndarray:
            return load_square(file, size, RESIZE, min_side=PREPARE.min_side, max_pixels=PREPARE.max_pixels)

        images = np.stack(list(map_files(load, files, f"Reading pictures at {size} pixels")))
        by_size[size] = measure(backbone, images)
    provenance = {
        "application": backbone.spec.application,
        "weights": backbone.weights.sha256,
        "data": options.data,
        "images": len(files),
        "images_sha256": hashlib.sha256(b"".join(digests)).hexdigest(),
        "resize": RESIZE,
        "precision": backbone.precision,
        "frostline": __version__,
    }
    output = options.output or FOLDER / f"{options.backbone}.npz"
    write_references(output, by_size, provenance)
    say(f"Wrote {output} ({output.stat().st_size / 1e3:.0f} kB)")


def pixels(text: str) -> int:
    """A number of pixels, from 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of pixels from 1, but got {text}")
    return int(text)


if __name__ == "__main__":
    main()
