"""What `frostline summary` prints of a project, from the files that stages leave."""

import json
import shutil
from pathlib import Path

import pytest

from frostline.commands import summary
from frostline.records.train_record import TrainRecord

PARAMS = Path(__file__).parents[2] / "params.yaml"
METRICS = {"balanced_accuracy": 0.75, "accuracy": 0.8}
EVIDENCE = {"intervals": {"balanced_accuracy": {"low": 0.7, "high": 0.8}}, "calibration": {}, "slices": {}}


@pytest.fixture
def shown(tmp_path, monkeypatch, capsys, record_fields):
    """The lines of the summary of two cells, the larger one with these settings of its winner."""

    def show(**settings: object) -> list[str]:
        monkeypatch.chdir(tmp_path)
        shutil.copy(PARAMS, tmp_path)
        best = record_fields["best"] | {"settings": record_fields["best"]["settings"] | settings}
        for size, changes in (("small", {}), ("large", {"size": "large", "best": best})):
            record = TrainRecord.model_validate(record_fields | changes)
            evaluation = tmp_path / "results/evaluation" / f"solar_cells-{size}-vgg16"
            for folder in (tmp_path / "models" / record.name, evaluation):
                folder.mkdir(parents=True)
            record.write(tmp_path / "models" / record.name)
            for name, numbers in (("metrics", METRICS), ("evidence", EVIDENCE)):
                (evaluation / f"{name}.json").write_text(json.dumps(numbers))
        summary.run()
        return [" ".join(line.replace("│", "|").split()) for line in capsys.readouterr().out.splitlines()]

    return show


def test_a_head_is_shown_by_the_blocks_that_it_reads_and_its_views(shown):
    text = "\n".join(shown())
    assert "| 4 of 4 kept | blocks 3, 4 | mirror (2) | 0.800 (0.700 to 0.900) |" in text
    assert "rates" not in text


def test_a_winner_that_thaws_blocks_is_shown_with_its_rates(shown):
    rates = {"head_learning_rate": 1e-4, "backbone_learning_rate": 3e-5, "dropout": 0.3}
    lines = shown(blocks=[5], freeze_depth=3, test_views="identity", **rates)
    (row,) = (number for number, line in enumerate(lines) if "3 of 5 kept; learning rates:" in line)
    assert "| block 5 | identity (1) |" in lines[row]
    assert "head 1.0e-04, blocks 3.0e-05" in lines[row + 1]


def test_every_depth_group_of_every_cell_is_decided_or_says_what_that_would_take(shown):
    lines = shown()
    table = lines[next(n for n, line in enumerate(lines) if line == "How deep to freeze") :]
    for cell in ("small", "large"):
        (row,) = (n for n, line in enumerate(table) if line.startswith(f"| solar_cells-{cell} | vgg16 | heads (the"))
        assert table[row].endswith("| 9 | 0.820 ± 0.020 | decided |")
        assert table[row + 1] == "| | | all blocks | 3 | – | not decided within this budget: about 9 minutes more |"
