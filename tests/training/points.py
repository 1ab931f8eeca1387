"""Points of the search space for tests that train."""

from frostline.training.settings import TrialSettings

USUAL = {
    "init": "pretrained",
    "keep": 5,
    "freeze_depth": 4,
    "head_learning_rate": 0.003,
    "backbone_learning_rate": 0.0001,
    "weight_decay": 1.0,
    "dropout": 0.2,
    "pooling": "both",
    "views": "mirror",
}


def point(**changes: object) -> TrialSettings:
    """VGG16 with its last block thawed, but for these `changes`."""
    return TrialSettings.model_validate(USUAL | changes)
