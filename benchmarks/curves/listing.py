"""The settings of the table: heads over blocks and views, thawed trials over depth, rates, views and blocks read."""

from collections.abc import Mapping

from frostline.config.types import ViewSet
from frostline.training.settings import TrialSettings

_READ = ((1,), (2,), (3,), (4,), (5,), (4, 5), (3, 4, 5), (1, 2, 3, 4, 5))
_ALL = (1, 2, 3, 4, 5)


def listed(views: ViewSet) -> Mapping[str, TrialSettings]:
    """Settings by name, the cheapest first, for VGG16's five blocks and a data set with these `views`."""
    return {**heads(views), **thawed(views)}


def heads(views: ViewSet) -> Mapping[str, TrialSettings]:
    return {
        f"head-{_digits(blocks)}-{chosen}": settings(blocks, blocks[-1], chosen)
        for chosen in dict.fromkeys(("identity", views, "crops"))
        for blocks in _READ
    }


def thawed(views: ViewSet) -> Mapping[str, TrialSettings]:
    """Of the last block, some, all, and all from random weights.

    Predictions of what trains most blocks look at the picture alone: each view costs as much as all blocks do.
    """
    last = {
        "last-5": ((5,), 4, views, 3e-5),
        "last-5-slow": ((5,), 4, views, 1e-5),
        "last-5-fast": ((5,), 4, views, 1e-4),
        "last-5-crops": ((5,), 4, "crops", 3e-5),
        "last-all": (_ALL, 4, views, 3e-5),
        "last-all-fast": (_ALL, 4, views, 1e-4),
        "last-all-crops": (_ALL, 4, "crops", 1e-4),
        "last-4": ((4,), 3, views, 3e-5),
        "last-34": ((3, 4), 3, views, 1e-4),
    }
    most = {
        "some-345": ((5,), 2, views, 3e-5),
        "some-45-fast": ((5,), 3, views, 1e-4),
        "some-345-all": (_ALL, 2, views, 1e-4),
        "all": ((5,), 0, views, 3e-5),
        "all-slow": ((5,), 0, views, 1e-5),
        "all-fast": ((5,), 0, views, 1e-4),
        "all-all": (_ALL, 0, views, 3e-5),
        "all-all-fast": (_ALL, 0, views, 1e-4),
        "all-123": ((1, 2, 3), 0, views, 1e-4),
    }
    random = {"random": ((5,), 0, views, 3e-5), "random-fast": ((5,), 0, views, 3e-4)}
    return {
        **{name: settings(*point[:3], rate=point[3]) for name, point in last.items()},
        **{name: settings(*point[:3], rate=point[3], alone=True) for name, point in most.items()},
        **{name: settings(*point[:3], rate=point[3], alone=True, init="random") for name, point in random.items()},
    }


def settings(
    blocks: tuple[int, ...],
    freeze_depth: int,
    views: ViewSet,
    *,
    rate: float | None = None,
    alone: bool = False,
    init: str = "pretrained",
) -> TrialSettings:
    """Those of the table: both poolings, `rate` for thawed blocks, and tested on all `views` or the picture `alone`."""
    rates = {"head_learning_rate": max(rate, 1e-4), "backbone_learning_rate": rate, "dropout": 0.3} if rate else {}
    return TrialSettings.model_validate(
        {
            "init": init,
            "blocks": blocks,
            "freeze_depth": freeze_depth,
            "pooling": "both",
            "views": views,
            "test_views": "identity" if alone else views,
            **rates,
        }
    )


def _digits(blocks: tuple[int, ...]) -> str:
    return "".join(map(str, blocks))
