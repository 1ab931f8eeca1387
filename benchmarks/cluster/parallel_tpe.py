"""What TPE alone loses when asked for several trials at once: on networks of the table, each trained to its end."""

import argparse
from heapq import heappop, heappush
from itertools import count

import numpy as np
import optuna
import pandas as pd

from frostline.config.load import load_config
from frostline.config.schema import SearchConfig
from frostline.runtime.progress import track
from frostline.search.space import suggest_thawed
from frostline.training.settings import TrialSettings

from ..measuring import append, finished
from ..replay.policies import PATIENCE
from ..replay.stand_in import DEPTH
from ..replay.world import Known, World
from .simulation import worlds_of

FILE = "cluster-tpe.csv"
KEY = ["trials", "workers", "cell", "repeat"]


def measure(options: argparse.Namespace) -> pd.DataFrame:
    """Run the searches that the file has not yet."""
    file, worlds = options.output / FILE, worlds_of(options)
    known = finished(file, KEY)
    left = [
        (trials, workers, world, repeat)
        for repeat in range(options.tpe_repeats)
        for trials in options.tpe_trials
        for workers in options.workers
        for world in worlds
        if workers < trials and (trials, workers, str(world.cell), repeat) not in known
    ]
    for trials, workers, world, repeat in track(left, "Searches by TPE", len(left)):
        row = dict(zip(KEY, (trials, workers, str(world.cell), repeat), strict=True))
        append([row | searched(world, workers, trials, repeat)], file)
    return pd.read_csv(file)


def searched(world: World, workers: int, trials: int, repeat: int) -> dict[str, object]:
    """Of so many trials, so many at once, the one of lowest validation loss: its regrets in points and in loss.

    A trial takes as long as it trains on images. Regret in loss is what TPE is asked to make small: the loss less the
    lowest of any network of the table; regret is of test scores.
    """
    seed = int(np.random.default_rng([repeat, world.cell.seed]).integers(2**31))
    sampler = optuna.samplers.TPESampler(multivariate=True, constant_liar=True, seed=seed)
    study = optuna.create_study(direction="minimize", sampler=sampler)
    space = load_config().search.model_copy(
        update={"views": tuple(dict.fromkeys(known.settings.views for known in world.thawed.values()))}
    )
    flying: list[tuple[float, int, optuna.Trial, Known]] = []
    begun, clock, best = count(), 0.0, min(map(loss_of, world.thawed.values()))
    for _ in range(trials):
        while len(flying) < workers and (number := next(begun)) < trials:
            trial = study.ask()
            known = world.nearest(suggested(trial, space))
            seconds = known.settled_after(PATIENCE) * world.epoch_cost(known)
            heappush(flying, (clock + seconds, number, trial, known))
        clock, _, trial, known = heappop(flying)
        trial.set_user_attr("name", known.name)
        study.tell(trial, loss_of(known))
    chosen = world.thawed[study.best_trial.user_attrs["name"]]
    highest = max(test_of(known) for known in world.thawed.values())
    return {
        "loss_regret": round(loss_of(chosen) - best, 5),
        "regret": round(100 * (highest - test_of(chosen)), 3),
        "images": round(clock, 1),
    }


def suggested(trial: optuna.Trial, space: SearchConfig) -> TrialSettings:
    """As a study asks for networks that thaw blocks; the head reads the last block, or all."""
    settings = suggest_thawed(trial, space, {}, DEPTH)
    every = trial.suggest_categorical("reads", ["the last", "all"]) == "all"
    return settings.model_copy(update={"blocks": tuple(range(1, settings.keep + 1))}) if every else settings


def loss_of(known: Known) -> float:
    """The validation loss that it is trained to."""
    return float(known.losses[: known.settled_after(PATIENCE)].min())


def test_of(known: Known) -> float:
    """The test score of the epoch with that loss."""
    return float(known.tests[known.best_epoch(known.settled_after(PATIENCE)) - 1])
