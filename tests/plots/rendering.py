"""What a test sees of a figure."""

from io import BytesIO

import numpy as np
from matplotlib.figure import Figure
from PIL import Image


def rendered(figure: Figure) -> np.ndarray:
    """Its pixels."""
    file = BytesIO()
    figure.savefig(file, format="png")
    return np.asarray(Image.open(file).convert("RGB"))


def texts(figure: Figure) -> set[str]:
    """What is written into its first plot."""
    return {text.get_text() for text in figure.axes[0].texts}
