"""What cells and models are called: in folders, runs, tables and messages."""

__all__ = ["OfModel", "model_name"]


def model_name(dataset: str, size: str, backbone: str) -> str:
    """A cell with its backbone, the name of the model's folder.

    >>> model_name("solar_cells", "small", "vgg16")
    'solar_cells-small-vgg16'
    """
    return f"{dataset}-{size}-{backbone}"


class OfModel:
    """What belongs to one data set at one size with one backbone."""

    dataset: str
    size: str
    backbone: str

    @property
    def cell(self) -> str:
        """The data set at its size, for example `solar_cells-small`."""
        return f"{self.dataset}-{self.size}"

    @property
    def name(self) -> str:
        """The cell with its backbone, for example `solar_cells-small-vgg16`: the name of the model's folder."""
        return model_name(self.dataset, self.size, self.backbone)
