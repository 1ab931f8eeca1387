"""Points of the search space for tests that train."""

from frostline.training.settings import TrialSettings

RATES = {"head_learning_rate": 0.0003, "backbone_learning_rate": 0.0001, "dropout": 0.2}
USUAL = {"init": "pretrained", "blocks": (5,), "freeze_depth": 4, "pooling": "both", "views": "mirror"} | RATES


def point(**changes: object) -> TrialSettings:
    """VGG16 with its last block thawed, but for these `changes`; it predicts by the views that it trains on."""
    values = USUAL | changes
    return TrialSettings.model_validate({"test_views": values["views"]} | values)


def head(**changes: object) -> TrialSettings:
    """A head on the last of VGG16's blocks, all of which are frozen, but for these `changes`."""
    blocks = changes.get("blocks", USUAL["blocks"])
    return point(freeze_depth=blocks[-1], **dict.fromkeys(RATES), **changes)
