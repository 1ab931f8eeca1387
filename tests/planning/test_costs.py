"""What steps cost is what they do, on a machine of known speed."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from frostline.backbones.surgery import build_backbone
from frostline.cache.cuts import Rates
from frostline.config.load import load_config
from frostline.config.schema import Config
from frostline.planning.costs import Costs
from frostline.planning.counts import Counts
from frostline.planning.speed import Network
from frostline.planning.steps import Step, steps_of

COUNTS = Counts(Counter(defective=300, functional=900), Counter(), 400)


@pytest.fixture(scope="module")
def costs(tmp_path_factory) -> Costs:
    document = yaml.safe_load((Path(__file__).parents[2] / "params.yaml").read_text())
    document["datasets"]["photos"] = {"source": "keras", "name": "cifar10"}
    document["backbones"]["vgg16"]["image_size"] = 32
    file = tmp_path_factory.mktemp("project") / "params.yaml"
    file.write_text(yaml.safe_dump(document, sort_keys=False))
    config = load_config(file)
    backbone = build_backbone("vgg16", config.backbone("vgg16"), seed=1, random=True)
    network = Network(backbone, Rates(flops=1e10, read=1e9, written=1e9, tracing=2), "float32")
    return Costs(config, (1.0, 5.0), {"solar_cells": COUNTS}, {"solar_cells": 0.01}, {"vgg16": network})


def test_every_step_has_its_time_but_those_of_data_that_are_not_here(costs: Costs) -> None:
    for step in steps_of(costs.config):
        seconds = costs.seconds(step)
        assert seconds is None if step.dataset == "photos" else seconds > costs.startup[0], step


def test_time_grows_with_what_there_is_to_do(costs: Costs) -> None:
    of = Step("prepare", "solar_cells")
    twice = replace(costs, files={"solar_cells": 0.02})
    assert twice.seconds(of) - costs.seconds(of) == pytest.approx(1.3 * 1600 * 0.01)
    train, evaluate = (Step(stage, "solar_cells", "small", "vgg16") for stage in ("train", "evaluate"))
    slower = replace(costs.networks["vgg16"], rates=Rates(flops=5e9, read=1e9, written=1e9, tracing=2))
    slow = replace(costs, networks={"vgg16": slower})
    assert costs.seconds(train) < slow.seconds(train) < 2 * costs.seconds(train)
    assert slow.seconds(evaluate) - costs.seconds(evaluate) == pytest.approx(4 * 400 * costs.networks["vgg16"].forward)


def test_test_images_pass_frozen_blocks_once_for_all_sizes(costs: Costs) -> None:
    small, large = (costs.seconds(Step("evaluate", "solar_cells", size, "vgg16")) for size in ("small", "large"))
    assert small == pytest.approx(large)  # the guide's network of the large one has thawed blocks
    heads_alone = Config.model_validate(
        costs.config.model_dump() | {"search": {"effort": {"heads": 9, "thawed": 0, "images": 0}}}
    )
    assert replace(costs, config=heads_alone).seconds(Step("evaluate", "solar_cells", "large", "vgg16")) < large


def test_more_effort_costs_more(costs: Costs) -> None:
    train = Step("train", "solar_cells", "large", "vgg16")
    quick, standard, thorough = (
        costs.with_effort(effort).seconds(train) for effort in ("quick", "standard", "thorough")
    )
    assert quick == costs.seconds(train)
    assert quick < standard < thorough
