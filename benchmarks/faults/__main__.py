"""What is lost when workers, nodes, the head or the driver are killed while a study runs on a Ray cluster.

    python -m benchmarks.faults

Studies of a few solar cells are trained by `frostline train` on a cluster of three nodes on this machine, two of which
have room for one worker each. Each study is disturbed in one way, up to `--at-once` times, at moments that `--seed`
draws: a worker is killed, a node with all that runs on it (another joins), or the driver, which is then started again;
the driver is interrupted (Ctrl-C); a worker is stopped, so that it says nothing for `--minutes`; and the head is
killed, and with it the cluster, after which another cluster is started at the same address, and the same command given.
After each study its trials are compared with those that had finished before each kill, and with its runs in MLflow.

Adds a row per study to `faults.csv`, and prints a table by what was killed. Of what went wrong it counts: finished
trials that are gone or changed; trials that count twice; runs in MLflow that are too few, too many, or in a wrong
state; studies with another number of trials than asked for; commands that ended with another exit code than they
should, or with more words than one line; and workers that were there half a minute after the end.
"""

import os
import shutil
import signal
import time
from importlib.metadata import version
from itertools import count
from pathlib import Path
from random import Random

import pandas as pd

from ..measuring import Option, describe, machine, markdown_table, parse, record
from .kills import WAYS, Disturbed
from .nodes import Nodes
from .study import Study, few_trials, make_project

NOTHING = "nothing"
WRONG = ["trials_lost", "counted_twice", "wrong_runs", "wrong_number", "ended_badly", "left_over"]


def main() -> None:
    options = parse(
        __doc__,
        kills=Option(25, smallest=1, help="in all, divided over the ways"),
        at_once=Option(5, smallest=1, help="kills of one study, at most"),
        minutes=Option(1.5, help="a worker may say nothing for so long"),
        seed=Option(20),
    )
    config = few_trials(smallest=options.smallest)
    results = options.output / "faults.csv"
    results.unlink(missing_ok=True)
    folder = options.work / "faults"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    os.chdir(folder)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell lets what it starts in the background ignore it
    nodes = Nodes()
    try:
        config = make_project(config, nodes.address, options.minutes)
        seeds, random = count(options.seed), Random(options.seed)
        length = 3.0 if options.smallest else undisturbed(Study(next(seeds), config), nodes, random, results)
        for place, way in enumerate(WAYS):
            left = options.kills // len(WAYS) + (place < options.kills % len(WAYS))
            while left:
                study = Disturbed(Study(next(seeds), config), nodes, random)
                kills = min(left, options.at_once)
                for _ in range(kills):
                    study.kill(WAYS[way], length / kills)
                record(row(way, study), results)
                left -= len(study.recovery)
    finally:
        nodes.close()
    print(markdown_table(table(pd.read_csv(results))), f"{describe()}, Ray {version('ray')}", sep="\n\n")


def undisturbed(study: Study, nodes: Nodes, random: Random, results: Path) -> float:
    """The seconds that a study takes from where it is connected to the cluster."""
    alone = Disturbed(study, nodes, random)
    alone.driver.until_begun()
    began = time.monotonic()
    alone.driver.end()
    seconds = time.monotonic() - began
    record(row(NOTHING, alone), results)
    return seconds


def row(way: str, study: Disturbed) -> dict[str, object]:
    """What a study that was disturbed this way leaves."""
    found = {"way": way, "kills": len(study.recovery), "trials": study.trials} | study.compared()
    seconds = {"recovery": study.recovery, "ending": study.ending}
    return found | {name: " ".join(f"{each:.1f}" for each in values) for name, values in seconds.items()} | machine()


def table(rows: pd.DataFrame) -> pd.DataFrame:
    """By way: studies, kills, what went wrong, and median and longest seconds."""
    found = []
    for way, studies in rows.groupby("way", sort=False):
        counts = studies[["kills", "trials", *WRONG]].sum().to_dict()
        found.append({"way": way, "studies": len(studies)} | counts | seconds_of(studies))
    return pd.DataFrame(found)


def seconds_of(studies: pd.DataFrame) -> dict[str, str]:
    shown = {}
    for name in ("recovery", "ending"):
        seconds = pd.Series(" ".join(studies[name].dropna().astype(str)).split(), dtype=float)
        shown[name] = f"{seconds.median():.0f} ({seconds.max():.0f})" if len(seconds) else ""
    return shown


if __name__ == "__main__":
    main()
