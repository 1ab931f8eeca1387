"""Finished trials of a backbone of five blocks, as a study leaves them."""

from pathlib import Path

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState

from frostline.config.load import load_config
from frostline.search.trials import CERTAINTY, CORRECT, COST, NUMBER, SETTINGS, SETTLED, STANDARD_ERROR, packed
from frostline.training.metrics import BRIER, LOSS, SCORE
from frostline.training.settings import TrialSettings, strategy_of

DEPTH = 5
CONFIG = load_config(Path(__file__).parents[2] / "params.yaml").search
RATES = {"head_learning_rate": 1e-4, "backbone_learning_rate": 3e-5, "dropout": 0.3}


def settings(keep: int = DEPTH, thaw: int = 0, init: str = "pretrained", reads: int = 1) -> TrialSettings:
    """A head on the last of `keep` blocks, of which `thaw` are trained."""
    rates = RATES if thaw else {}
    blocks = range(keep - reads + 1, keep + 1)
    return TrialSettings(
        init=init, blocks=blocks, freeze_depth=keep - thaw, pooling="both", views="mirror", test_views="mirror", **rates
    )


def made(
    number: int,
    score: float | None = 0.7,
    point: TrialSettings | None = None,
    *,
    state: TrialState = TrialState.COMPLETE,
    correct: np.ndarray | None = None,
    cost: float = 0.0,
    **attributes: object,
) -> FrozenTrial:
    """Trial `number` of a search, of a head on the last block unless a `point` is given."""
    point = point or settings()
    correct = np.ones(4) if correct is None else correct
    history = [{LOSS: 0.5, SCORE: 0.0 if score is None else score, "temperature": 1.0}]
    known = {
        NUMBER: number,
        SETTINGS: point.model_dump(mode="json"),
        "strategy": strategy_of(point, DEPTH),
        "history": [] if score is None else history,
        COST: cost,
        STANDARD_ERROR: 0.03,
        BRIER: 1.0 - (score or 0.0),
        "epochs": 1 if point.thaw else 0,
        CORRECT: packed(correct.astype(np.float32)),
        CERTAINTY: packed(correct.astype(np.float32)),
    }
    settled = {SETTLED: state == TrialState.COMPLETE} if point.thaw else {}
    value = score if state == TrialState.COMPLETE else None
    return optuna.create_trial(value=value, state=state, user_attrs=known | settled | attributes)
