"""A new project's files are the repository's own, but for what is the user's."""

from pathlib import Path

import pytest

from frostline.config.load import load_config
from frostline.scaffold.proposal import Proposal
from frostline.scaffold.template import example_parameters, ignored, parameters, pipeline

ROOT = Path(__file__).parents[2]
OWN = Proposal("fotos", {"source": "folder", "path": "/bilder/Röntgen: alle #1"}, "resnet50", 96, ("seen: 3 classes",))


def comments(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.lstrip().startswith("#")]


def test_the_repository_is_the_example() -> None:
    assert pipeline() == (ROOT / "dvc.yaml").read_text()
    assert example_parameters() == (ROOT / "params.yaml").read_text()
    assert set(ignored(".gitignore")) >= {"/data/", "/models/", "/results/", "/reports/", "/mlruns/", ".cache/"}
    assert set(ignored(".dvcignore")) <= set((ROOT / ".dvcignore").read_text().splitlines())


def test_ones_own_file_differs_in_data_sizes_and_backbones_alone(tmp_path: Path) -> None:
    file = tmp_path / "params.yaml"
    file.write_text(parameters(OWN), encoding="utf-8")
    own, example = load_config(file), load_config(ROOT / "params.yaml")
    assert str(own.dataset("fotos").path) == OWN.dataset["path"]
    assert own.sizes == {"all": "all"}
    assert own.backbone("resnet50").image_size == 96
    assert own.cards["fotos"].data is None
    for section in set(type(own).model_fields) - {"datasets", "sizes", "backbones", "cards"}:
        assert getattr(own, section) == getattr(example, section), section


def test_every_key_stays_explained() -> None:
    text, example = parameters(OWN), example_parameters()
    assert "# seen: 3 classes" in text.splitlines()
    assert set(comments(example)) - set(comments(text)) <= {"# considerations: who may be harmed by a wrong answer"}
    before = {line for line in example.splitlines() if "#" in line}
    after = {line for line in text.splitlines() if "#" in line}
    assert {line.split("#")[1].strip() for line in before - after} <= {
        "a cell has no upside down",
        "where the pictures come from, and whose they are",
        "and what not",
        "considerations: who may be harmed by a wrong answer",
    }


@pytest.mark.parametrize("name", ["2024", "no", "null", "x" * 64])
def test_names_that_yaml_takes_for_something_else_stay_names(tmp_path: Path, name: str) -> None:
    file = tmp_path / "params.yaml"
    file.write_text(parameters(Proposal(name, {"source": "folder", "path": "2024"}, "vgg16", 128)))
    assert list(load_config(file).datasets) == [name]
