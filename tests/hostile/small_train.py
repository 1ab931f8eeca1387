"""The stage `train` with a small trainer, in a process of its own that can be told where to kill itself.

Everything but the networks is real: the command line, params.yaml, the packed images, Optuna and MLflow on SQLite, the
files. Run as a program, it reads lines `folder signal time step` from standard input, runs the command there in a fork
which sends itself the signal when it comes to the step for that time, and prints the exit code.
"""

import importlib
import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import yaml

ROOT = Path(__file__).parents[2]
NAME = "cells-small-vgg16"
HEADS, THAWED = 2, 3
TRIALS = HEADS + 1 + THAWED
IMAGES, TEST_IMAGES = 12, 4
LOG, MODULES, PROCESS = "log.txt", "modules.txt", "process.txt"
COMMAND = ["frostline", "train", "cells", "small", "vgg16"]


def make_project(folder: Path) -> None:
    """Sixteen packed images in two classes, a profile, and params.yaml: two heads, three trials that thaw blocks."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["datasets"] = {"cells": {"source": "folder", "path": "images"}}
    params["sizes"] = {"small": IMAGES // 2}
    effort = {"heads": HEADS, "thawed": THAWED, "images": 1000}
    strategies = ["start_of_convnet", "retrain"]
    params["search"] |= {"effort": effort, "startup_trials": 1, "strategies": strategies}
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    packed = folder / "data/packed/cells-vgg16"
    packed.mkdir(parents=True)
    splits = ["train"] * IMAGES + ["test"] * TEST_IMAGES
    np.save(packed / "images.npy", np.zeros((len(splits), 4, 4, 3), dtype=np.uint8))
    np.save(packed / "labels.npy", np.arange(len(splits)) % 2)
    rows = [f"{number}.png,{number % 2},{split},{number},4,4,{number}" for number, split in enumerate(splits)]
    (packed / "index.csv").write_text("\n".join(["image,label,split,group,width,height,sha256", *rows]))
    facts = {"classes": ["0", "1"], "image_size": 4, "resize": "stretch", "fingerprint": "images", "levels": {}}
    (packed / "packed.json").write_text(json.dumps(facts))
    cell = {"images": IMAGES, "per_class": IMAGES // 2, "measured": IMAGES, "size": "small", "similarity": "different"}
    cell |= {
        "probed": IMAGES,
        "gain": None,
        "shift": None,
        "regime": "small-different",
        "strategies": ["start_of_convnet"],
        "reason": "Few.",
    }
    cell |= {"order": ["start_of_convnet", "retrain"], "peak": None, "cut": None, "layers": [], "blocks": []}
    profile = {"dataset": "cells", "backbone": "vgg16", "application": "VGG16", "image_size": 4, "reference": None}
    profile["similar_up_to"] = None
    profile |= {"thresholds": params["profile"], "block_names": ["one", "two", "three"], "cells": {"small": cell}}
    (folder / "results/profile").mkdir(parents=True)
    (folder / "results/profile/cells-vgg16.json").write_text(json.dumps(profile))


def set_seed(folder: Path, seed: int) -> None:
    """Another seed is another study."""
    params = yaml.safe_load((folder / "params.yaml").read_text())
    (folder / "params.yaml").write_text(yaml.safe_dump(params | {"seed": seed}))


class SmallTrainer:
    """Of three blocks; its scores follow from the settings, and retraining everything diverges in the second epoch."""

    def __init__(self, cell) -> None:
        self.cell = cell
        self.backbone = SimpleNamespace(
            depth=3,
            flops_per_block=lambda: [1.0, 1.0, 1.0],
            spec=SimpleNamespace(application="VGG16", architecture="VGG16"),
            weights=SimpleNamespace(sha256="weights", source="here"),
        )
        self.setup = SimpleNamespace(precision="float32")

    def cost(self, settings, _fold: int) -> float:
        return 10.0 * settings.thaw

    def steps(self, settings, _seed: int):
        from frostline.training.fit import TrainingDiverged
        from frostline.training.metrics import LOSS, SCORE, STANDARD_ERROR
        from frostline.training.reports import EpochReport, FoldReport
        from frostline.training.trial import Validation

        score = settings.keep / 10 + settings.thaw / 20 + len(settings.blocks) / 100
        history = [{"train_loss": 1.0, LOSS: 1.0, SCORE: score, STANDARD_ERROR: 0.05, "temperature": 1.0}]
        certainty = np.full(len(self.cell.validation_rows), score, dtype=np.float32)
        if settings.thaw:
            seen = np.cumsum([len(validation) for _, validation in self.cell.folds])
            for epoch in (1, 2):
                goes_on = yield EpochReport(history * epoch, certainty[: seen[0]], settled=epoch == 2)
                if settings.init == "random":
                    raise TrainingDiverged("the loss became nan")
                if not goes_on:
                    break
            for judging in seen[:-1]:
                if not (yield FoldReport(history, certainty[:judging])):
                    certainty = certainty[:judging]
                    break
        correct = (np.arange(len(certainty)) % 10 < 10 * score).astype(np.float32)
        return Validation(score, 0.05, min(settings.thaw, 1), 1.0, correct, certainty, tuple(history))

    def judged(self, settings):
        from frostline.training.reports import watched

        return watched(self.steps(settings, 0), None)

    def refit(self, settings, _epochs: int, seed: int):
        text = f"{settings} {seed}"
        return SimpleNamespace(text=text, save=lambda path: path.write_text(text))

    def familiar(self, _network, settings):
        from frostline.statistics.familiar import fit_familiar

        vectors = np.random.default_rng(settings.keep).normal(size=(12, 3))
        return "two", fit_familiar(vectors, np.arange(12) % 2, [(np.arange(6), np.arange(6, 12))])


def _shrink() -> None:
    import keras
    from matplotlib.figure import Figure

    from frostline.runtime import environment
    from frostline.search import driver, objective, outcome, plan, schedule

    environment._BACKENDS = ("numpy",)  # Keras's own, which trains nothing and is there in a second
    keras.utils.set_random_seed = lambda _: None  # which imports TensorFlow
    plan.Setup = lambda cell, *_: cell
    plan.Memo = lambda *_: None
    plan.Trainer = lambda cell, _: SmallTrainer(cell)
    plan.StudyPlan.fill_cache = lambda *_: None
    driver.distribute = lambda: 1
    schedule.accelerators = lambda: ()
    objective.choose_ensemble = lambda _, heads: heads[0]
    objective.cross_fitted = lambda _, heads: heads[0]
    outcome.soften = lambda *_: None
    outcome.digest = lambda model: model.text
    outcome.study_figures = lambda *_: {"trials.png": Figure((1, 1))}


class Killer:
    """Sends the process a signal at a step, such as `after trial_run`, the so-manieth time that it comes there."""

    def __init__(self, step: str, time: int, number: int) -> None:
        self._left = {step: time}
        self._number = number

    def watch(self, owner: Any, *names: str) -> None:
        for name in names:
            setattr(owner, name, self._watched(getattr(owner, name), name))

    def _watched(self, original: Callable[..., Any], name: str) -> Callable[..., Any]:
        def watched(*arguments, **options):
            self._reached(f"before {name}")
            result = original(*arguments, **options)
            self._reached(f"after {name}")
            return result

        return watched

    def _reached(self, step: str) -> None:
        if step in self._left:
            self._left[step] -= 1
            if not self._left[step]:
                os.kill(os.getpid(), self._number)


def _run(step: str, time: int, number: int) -> None:
    from optuna.storages import RDBStorage
    from optuna.study import Study

    from frostline.cli import main
    from frostline.files import atomic
    from frostline.records.train_record import TrainRecord
    from frostline.search import driver, schedule, study
    from frostline.search.outcome import Outcome, Refitted
    from frostline.search.plan import StudyPlan
    from frostline.search.race import Race
    from frostline.tracking import studies
    from frostline.tracking.runs import Run

    killer = Killer(step, time, number)
    killer.watch(study, "_create", "_free_numbers")
    killer.watch(RDBStorage, "_create_new_trial", "set_trial_user_attr", "set_trial_state_values")
    killer.watch(schedule, "propose")
    killer.watch(Race, "epoch", "fold")
    killer.watch(Study, "tell")
    killer.watch(studies, "_begin")
    killer.watch(studies.StudyRuns, "start_trial", "log_winner")
    killer.watch(StudyPlan, "fill_cache")
    killer.watch(Run, "log_params", "log_metrics", "log_history", "log_input", "log_table", "set_tags", "end")
    killer.watch(SmallTrainer, "refit")
    killer.watch(Outcome, "refit")
    killer.watch(Refitted, "record", "write")
    killer.watch(driver, "run_study", "log_study")
    killer.watch(TrainRecord, "write")
    killer.watch(Path, "rename")
    killer.watch(atomic, "_clear")
    sys.argv = COMMAND
    try:
        main()
    finally:
        Path(MODULES).write_text("\n".join(sys.modules))


def _serve() -> None:
    _shrink()
    for line in sys.stdin:
        folder, number, time, step = line.split(maxsplit=3)
        process = os.fork()
        if not process:
            os.chdir(folder)
            Path(PROCESS).write_text(str(os.getpid()))
            with Path(LOG).open("w") as log:
                os.dup2(log.fileno(), 2)
            code = 0
            try:
                _run(step.strip(), int(time), int(number))
            except SystemExit as end:
                code = end.code
            os._exit(code)
        _, status = os.waitpid(process, 0)
        if Path(folder, MODULES).exists():  # what the next fork need not import
            for module in Path(folder, MODULES).read_text().split():
                with suppress(ImportError):
                    importlib.import_module(module)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    _serve()
