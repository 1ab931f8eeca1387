"""What the process must be before Keras and MLflow are imported. Users' settings win where it can work with them."""

import importlib.util
import json
import logging
import os
import warnings
from pathlib import Path
from typing import Any

from frostline.errors import ConfigError
from frostline.text.nearest import did_you_mean

__all__ = ["expand_home", "keras_home", "prepare_keras", "set_defaults"]

_BACKENDS = ("tensorflow", "jax", "torch")
_DEFAULTS = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_DETERMINISTIC_OPS": "1",
    "GIT_PYTHON_REFRESH": "quiet",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
# These cut trainings short, swap JAX's variables for Flax's, or send what frostline logs elsewhere, or there later.
_UNWANTED = (
    *("KERAS_MAX_EPOCHS", "KERAS_MAX_STEPS_PER_EPOCH", "KERAS_NNX_ENABLED"),
    *("MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_ACTIVE_MODEL_ID"),
    *("MLFLOW_REGISTRY_URI", "MLFLOW_ENABLE_ASYNC_LOGGING"),
)
# What networks are built, cached and served with. keras.json may hold other values, for a user's other work.
_NEEDED = {"floatx": "float32", "epsilon": 1e-7, "image_data_format": "channels_last", "nnx_enabled": False}


def set_defaults() -> None:
    """Set what is not set, and unset what must not be. It is fast and raises nothing: call it first."""
    # PYTHONWARNINGS=error would end a command for what only a library's authors can mend.
    warnings.filters[:] = [  # type: ignore[index]  # a list, whatever typeshed says
        ("default", *condition) if action == "error" else (action, *condition)
        for action, *condition in warnings.filters
    ]
    # Each trial is another network, which TensorFlow takes for needless retracing of one.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    for name in _UNWANTED:
        os.environ.pop(name, None)
    if not os.environ.get("KERAS_HOME"):  # Keras takes an empty one for the working folder
        os.environ.pop("KERAS_HOME", None)
    os.environ["MPLBACKEND"] = "Agg"  # figures go into files; a notebook's own backend may not be installed here
    if os.environ.get("MLFLOW_LOGGING_LEVEL", "INFO").upper() not in logging.getLevelNamesMapping():
        del os.environ["MLFLOW_LOGGING_LEVEL"]  # importing MLflow would raise ValueError
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)


def prepare_keras() -> str:
    """Choose Keras's backend, overrule what keras.json says against frostline's needs, and say in words what came out.

    The backend is KERAS_BACKEND's, else that of keras.json, else tensorflow. Keras is imported only if there is
    something to overrule. Raises ConfigError if there is no such backend, or if Keras would refuse keras.json.
    """
    file = keras_home() / "keras.json"
    settings = _read_settings(file)
    asked = os.environ.get("KERAS_BACKEND")
    backend = asked or settings.get("backend", "tensorflow")
    _check_backend(backend, "KERAS_BACKEND" if asked or "backend" not in settings else f'"backend" in {file}')
    os.environ["KERAS_BACKEND"] = backend
    other = [name for name, value in _NEEDED.items() if settings.get(name, value) != value]
    if not other:
        return f"{backend} (KERAS_BACKEND changes it)"
    os.environ["KERAS_NNX_ENABLED"] = "false"
    try:
        import keras
    except (TypeError, ValueError) as error:
        raise ConfigError(f"Keras refuses its settings: {error}. Mend or delete {file}.") from error
    keras.config.set_floatx(_NEEDED["floatx"])
    keras.config.set_epsilon(_NEEDED["epsilon"])
    keras.config.set_image_data_format(_NEEDED["image_data_format"])
    return f"{backend} (KERAS_BACKEND changes it), with frostline's {', '.join(other)}, not that of {file}"


def keras_home() -> Path:
    """The folder of Keras's settings and downloads, by Keras's rule: KERAS_HOME, or .keras at home or else in /tmp."""
    if chosen := os.environ.get("KERAS_HOME"):
        return expand_home(chosen)
    home = expand_home("~")
    return (home if os.access(home, os.W_OK) else Path("/tmp")) / ".keras"  # noqa: S108


def expand_home(path: str | Path) -> Path:
    """`path` with a home folder for its ~; where nobody knows one the ~ stays, and no such file will be found."""
    return Path(os.path.expanduser(path))  # noqa: PTH111  # Path's own raises


def _read_settings(file: Path) -> dict[str, Any]:
    """What `file` says; nothing if it is absent, or no JSON, which Keras passes over too."""
    try:
        settings = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    except ValueError:
        return {}
    except OSError as error:
        raise ConfigError(f"Keras's settings cannot be read: {error}. Mend or delete {file}.") from None
    if not isinstance(settings, dict):
        raise ConfigError(f"Keras's settings must be a JSON object of names and values. Mend or delete {file}.")
    return settings


def _check_backend(backend: Any, where: str) -> None:
    if backend not in _BACKENDS:
        raise ConfigError(
            f"{where} must name a backend that frostline trains on, but got '{backend}'."
            f"{did_you_mean(str(backend), _BACKENDS)}"
        )
    spec = importlib.util.find_spec(backend)
    if spec is None or spec.origin is None:  # what an uninstalled package left behind has no origin
        others = [name for name in _BACKENDS if name != backend and importlib.util.find_spec(name)]
        choice = f", or set KERAS_BACKEND={others[0]}, which is" if others else ""
        raise ConfigError(f"{where} is {backend}, but that is not installed: pip install {backend}{choice}.")
