"""The process environment that Keras and MLflow read when they are imported. Users' own settings win."""

import logging
import os

__all__ = ["set_defaults"]

_DEFAULTS = {
    "KERAS_BACKEND": "tensorflow",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_DETERMINISTIC_OPS": "1",
    "GIT_PYTHON_REFRESH": "quiet",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}


def set_defaults() -> None:
    """Set what is not set; call it before Keras or MLflow is imported."""
    # Each trial is another network, which TensorFlow takes for needless retracing of one.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
