"""Stage `train`: search one cell with one backbone, refit the winner, and leave the study in MLflow."""

from pathlib import Path

from frostline.config.load import load_config
from frostline.data.packed import read_packed
from frostline.records.profile import Profile
from frostline.search.driver import train_cell
from frostline.search.plan import CellInputs

__all__ = ["run"]


def run(dataset: str, size: str, backbone: str) -> None:
    """Write `models/<dataset>-<size>-<backbone>/`: model.keras, study.json (every trial), train.json, pictures.

    training_images.txt lists the pictures that it was trained on. guide.keras, what following the guide would have
    given, is beside them unless the winner is the guide's own trial.
    """
    config = load_config().for_dataset(dataset)
    per_class = config.size(size)
    packed = read_packed(Path("data/packed") / f"{dataset}-{backbone}")
    profile = Profile.read(Path("results/profile") / f"{dataset}-{backbone}.json")
    inputs = CellInputs(dataset, size, backbone, per_class, packed, profile.cell(size))
    train_cell(inputs, config, Path("models") / inputs.name)
