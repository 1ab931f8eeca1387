"""How fast `frostline serve` answers, against the same Keras model called directly, in one run.

    frostline promote solar_cells && python -m benchmarks.serving

Takes the champion of the current project and its test pictures. In turns: the network alone on decoded arrays, decoding
and network (what the server has to do), and the server, asked by clients at once. Writes
`serving.csv` and prints a table of pictures per second: the median over rounds, lowest and highest.
"""

import argparse
import base64
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import requests

from frostline.config.load import load_config
from frostline.data.images import load_square
from frostline.data.sources import open_source
from frostline.data.test_set import read_test_set
from frostline.registry.models import load_champion
from frostline.tracking.runs import Tracker

from .measuring import Option, describe, interleaved, machine, markdown_table, parse
from .project import enter_smallest


def main() -> None:
    options = parse(
        __doc__,
        pictures=Option(128, smallest=8, help="per round"),
        rounds=Option(5, smallest=1),
        clients=Option(8),
    )
    if options.smallest:
        enter_smallest(options.output / "project")
    config = load_config()
    dataset = config.dataset_name(None)
    version = load_champion(Tracker.open(config.stores, dataset), dataset)
    test_set = read_test_set(Path("data/prepared") / dataset, open_source(config.dataset(dataset)))
    contents = [path.read_bytes() for path in test_set.paths[: options.pictures]]
    server, address = start()
    try:
        rows = measure(version, contents, address, options)
        megabytes = psutil.Process(server.pid).memory_info().rss / 1e6
    finally:
        server.terminate()
        server.wait()
    table = pd.DataFrame(rows)
    table.round(2).assign(**machine()).to_csv(options.output / "serving.csv", index=False)
    rates = table[["median", "lowest", "highest"]].map("{:.1f}".format)
    table["shown"] = rates["median"] + " (" + rates["lowest"] + " to " + rates["highest"] + ")"
    wide = table.pivot_table(index="pictures at once", columns="way", values="shown", aggfunc="first", sort=False)
    print(markdown_table(wide.reset_index()))
    print(f"\nThe server's memory in the end: {megabytes:.0f} MB.\n\n{describe()}")


def start() -> tuple[subprocess.Popen[str], str]:
    command = [str(Path(sys.executable).parent / "frostline"), "serve", "--port", "0"]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ.copy())
    for line in server.stderr:
        if found := re.search(r"http://\S+/invocations", line):
            return server, found[0]
    raise SystemExit("frostline serve ended before it served; run it by hand to see why.")


def measure(version, contents: list[bytes], address: str, options: argparse.Namespace) -> list[dict[str, object]]:
    import keras

    network = keras.saving.load_model(version.network, compile=False)
    config = version.model_config
    limits = {name: config[name] for name in ("min_side", "max_pixels")}

    def decoded(images: list[bytes]) -> np.ndarray:
        return np.stack([load_square(image, config["image_size"], config["resize"], **limits) for image in images])

    def ask(images: list[bytes]) -> None:
        body = {"inputs": [base64.b64encode(image).decode() for image in images]}
        assert requests.post(address, json=body, timeout=600).status_code == 200

    rows = []
    with ThreadPoolExecutor(options.clients) as clients:
        for at_once in (1, 8, 32):
            parts = [contents[start : start + at_once] for start in range(0, len(contents), at_once)]
            squares = [decoded(part) for part in parts]
            ways = {
                "network alone": lambda squares=squares: [network.predict_on_batch(each) for each in squares],
                "decoding and network": lambda parts=parts: [network.predict_on_batch(decoded(part)) for part in parts],
                "server": lambda parts=parts: list(clients.map(ask, parts)),
            }
            for way, timing in interleaved(ways, options.rounds).items():
                rates = dict(zip(("median", "lowest", "highest"), timing.rate(len(contents)), strict=True))
                rows.append({"pictures at once": at_once, "way": way} | rates)
    return rows


if __name__ == "__main__":
    main()
