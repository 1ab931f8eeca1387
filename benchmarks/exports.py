"""What each export of one model keeps of its answers, how large it is, and how fast.

    python -m benchmarks.exports

Trains heads on a VGG16's frozen blocks for solar cells, makes the best the champion, and exports it in every form. Each
file is asked about all test images, as the version itself is; one picture at a time, all are timed in turns. Writes
`exports.csv` and prints a table.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from frostline.commands.export import material_of
from frostline.config.effort import Effort
from frostline.config.load import load_config
from frostline.config.schema import Config
from frostline.registry.models import load_champion
from frostline.runtime.progress import say
from frostline.serving.export import export
from frostline.serving.forms.asking import open_export
from frostline.serving.forms.kind import Kind
from frostline.serving.pixels import decoded
from frostline.tracking.runs import Tracker

from .measuring import Option, describe, interleaved, machine, markdown_table, parse
from .project import enter_smallest, enter_solar_cells
from .training import BACKBONE, changed

KERAS = Kind("keras")
LITERT = [Kind("litert", precision) for precision in ("float32", "float16", "dynamic", "int8")]
KINDS = {str(kind): kind for kind in (KERAS, Kind("onnx"), *LITERT)}


def main() -> None:
    options = parse(
        __doc__,
        pixels=Option(96, help="a side"),
        heads=Option(8, help="that are tried"),
        views=Option("identity", help="that a prediction is averaged over"),
        kinds=Option(list(KINDS), smallest=["keras", "litert int8"], choices=list(KINDS), help="of files"),
        rounds=Option(10, smallest=1, help="of one picture each"),
    )
    if options.smallest:
        enter_smallest(options.output / "project")
    else:
        enter_solar_cells(options.work / f"exports-{options.pixels}px-{options.views}", asked_for(options))
    table = pd.DataFrame(measure(options))
    table.assign(**machine()).to_csv(options.output / "exports.csv", index=False)
    print(markdown_table(shown(table)))
    print(f"\n{table['images'][0]} test images. {describe()}")


def asked_for(options: argparse.Namespace) -> Config:
    config = load_config()
    config = changed(config, "search", effort=Effort(heads=options.heads, thawed=0, images=0))
    datasets = {
        name: data.model_copy(update={"views": (options.views,)})
        for name, data in config.datasets.items()
        if data.source == "elpv"
    }
    backbones = {BACKBONE: config.backbone(BACKBONE).model_copy(update={"image_size": options.pixels})}
    sizes = {"large": config.sizes["large"]}
    return config.model_copy(update={"datasets": datasets, "backbones": backbones, "sizes": sizes})


def measure(options: argparse.Namespace) -> list[dict[str, object]]:
    config = load_config()
    dataset = config.dataset_name(None)
    version = load_champion(Tracker.open(config.stores, dataset), dataset)
    material = material_of(config, dataset, version)
    picture = decoded(version, material.test.paths[:1])[0].astype(np.float32)
    rows, asked = [], {}
    for kind in (KINDS[name] for name in dict.fromkeys(["keras", *options.kinds])):
        file = Path("exports") / kind.file_name(dataset)
        record = export(version, file, kind, material, force=True)
        ask = open_export(file, kind.form)
        asked[kind] = lambda ask=ask: ask(picture)
        found = record.agreement.model_dump()
        loss = {f"loss_{end}".removesuffix("_value"): value for end, value in found.pop("loss").items()}
        rows.append({"form": kind.form, "precision": kind.precision, "megabytes": record.megabytes} | found | loss)
        say(f"{kind}: {record.agreement}")
    timings = interleaved(asked, options.rounds)
    return [
        row | {"milliseconds": 1000 * timing.median, "times_keras": timing.ratio(timings[KERAS])}
        for row, timing in zip(rows, timings.values(), strict=True)
    ]


def shown(table: pd.DataFrame) -> pd.DataFrame:
    loss = 100 * table[["loss", "loss_low", "loss_high"]]
    return pd.DataFrame(
        {
            "export": table["form"] + " " + table["precision"],
            "MB": table["megabytes"].map("{:.1f}".format),
            "same label": table["equal_labels"].map("{:.1%}".format),
            "largest difference": table["largest_difference"].map("{:.1g}".format),
            "mean difference": table["mean_difference"].map("{:.1g}".format),
            "known alike": table["equal_known"].map("{:.1%}".format),
            "strangeness differs by": table["strangeness_difference"].map("{:.1g}".format),
            "balanced accuracy": table["balanced_accuracy"].map("{:.3f}".format),
            "loss in points (95%)": [f"{value:.1f} ({low:.1f} to {high:.1f})" for value, low, high in loss.to_numpy()],
            "time, Keras = 1": table["times_keras"].map("{:.2f}".format),
        }
    )


if __name__ == "__main__":
    main()
