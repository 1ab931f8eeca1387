"""Whatever the environment and Keras's own file say, Keras does what frostline needs, or one error says why not."""

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

from frostline.errors import ConfigError
from frostline.runtime.environment import expand_home, keras_home, prepare_keras, set_defaults


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, and no word about Keras in the environment."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KERAS_HOME", raising=False)
    monkeypatch.setenv("KERAS_BACKEND", "")
    return tmp_path


def write(home: Path, content: Any) -> None:
    (home / ".keras").mkdir()
    text = content if isinstance(content, str) else json.dumps(content)
    (home / ".keras" / "keras.json").write_text(text)


@pytest.mark.parametrize(
    ("variable", "file", "chosen"),
    [
        ("", None, "tensorflow"),
        ("tensorflow", {"backend": "jax"}, "tensorflow"),
        ("", {"backend": "jax"}, "jax"),
        ("", {"floatx": "float32"}, "tensorflow"),
        ("", "not JSON", "tensorflow"),
    ],
)
def test_the_backend_is_the_variables_then_the_files(
    home: Path, monkeypatch: pytest.MonkeyPatch, variable: str, file: Any, chosen: str
) -> None:
    pytest.importorskip(chosen)
    monkeypatch.setenv("KERAS_BACKEND", variable)
    if file is not None:
        write(home, file)
    assert prepare_keras().startswith(chosen)
    assert os.environ["KERAS_BACKEND"] == chosen


@pytest.mark.parametrize(
    ("variable", "file", "message"),
    [
        ("tensorflw", None, r"KERAS_BACKEND must name .* got 'tensorflw'\. Did you mean 'tensorflow'\?"),
        ("numpy", None, r"KERAS_BACKEND must name a backend that frostline trains on.* Known: jax, tensorflow, torch"),
        ("", {"backend": "theano"}, r'^"backend" in .*/\.keras/keras\.json must name a backend .* got \'theano\''),
        ("", {"backend": ["jax"]}, r'^"backend" in .* got \'\[\'jax\'\]\''),
        ("", ["jax"], r"must be a JSON object.* Mend or delete .*/keras\.json"),
    ],
)
def test_what_is_no_backend_is_named_with_its_place(
    home: Path, monkeypatch: pytest.MonkeyPatch, variable: str, file: Any, message: str
) -> None:
    monkeypatch.setenv("KERAS_BACKEND", variable)
    if file is not None:
        write(home, file)
    with pytest.raises(ConfigError, match=message):
        prepare_keras()


def test_a_backend_that_is_not_installed_says_what_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "torch" else object())
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    with pytest.raises(
        ConfigError, match=r"is torch, but .*not installed: pip install torch, or set KERAS_BACKEND=tensorflow"
    ):
        prepare_keras()


def test_a_settings_file_that_cannot_be_read_is_named(home: Path) -> None:
    (home / ".keras" / "keras.json").mkdir(parents=True)
    with pytest.raises(ConfigError, match=r"settings cannot be read: .*Mend or delete .*keras\.json"):
        prepare_keras()


SCRIPT = """
from frostline.runtime.environment import prepare_keras, set_defaults
set_defaults()
print(prepare_keras())
import keras
from frostline.backbones.surgery import build_backbone
from frostline.config.schema import BackboneConfig
network = build_backbone("vgg16", BackboneConfig(weights=None, image_size=32), seed=1).network
print(keras.config.backend(), keras.config.epsilon(), keras.config.max_epochs(), keras.config.is_nnx_enabled())
print(network.input_shape, network.weights[0].dtype)
"""


def run(**environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_networks_are_built_as_ever_whatever_keras_was_told_for_other_work(home: Path) -> None:
    settings = {"image_data_format": "channels_first", "floatx": "float16", "epsilon": 0.1, "nnx_enabled": True}
    write(home, settings)
    answer = run(KERAS_MAX_EPOCHS="one", KERAS_NNX_ENABLED="true", TF_USE_LEGACY_KERAS="1")
    assert answer.returncode == 0, answer.stderr
    said, *rest = answer.stdout.splitlines()
    assert "with frostline's floatx, epsilon, image_data_format, nnx_enabled, not that of" in said
    assert rest == ["tensorflow 1e-07 None False", "(None, 32, 32, 3) float32"]


def test_settings_that_keras_refuses_are_one_error_that_names_the_file(home: Path) -> None:
    write(home, {"floatx": "float8"})
    answer = run()
    assert "ConfigError: Keras refuses its settings: Invalid `floatx`" in answer.stderr
    assert f"Mend or delete {home}/.keras/keras.json" in answer.stderr


def test_keras_home_is_where_keras_looks(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert keras_home() == home / ".keras"
    monkeypatch.setenv("KERAS_HOME", "~/elsewhere")
    assert keras_home() == home / "elsewhere"
    monkeypatch.setenv("KERAS_HOME", "")
    monkeypatch.setenv("HOME", str(home / "absent"))
    assert keras_home() == Path("/tmp/.keras")  # noqa: S108


def test_runs_of_others_and_limits_for_debugging_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "KERAS_MAX_EPOCHS", "KERAS_HOME"):
        monkeypatch.setenv(name, "")
    set_defaults()
    assert not {"MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "KERAS_MAX_EPOCHS", "KERAS_HOME"} & set(os.environ)


def test_what_other_libraries_would_stop_at_is_left_out() -> None:
    """A notebook gives its own backend of matplotlib to what it runs; MLflow refuses unknown levels of logging."""
    environment = os.environ | {
        "MPLBACKEND": "nonsense",
        "MLFLOW_LOGGING_LEVEL": "loud",
    }
    code = "from frostline.runtime.environment import set_defaults as s; s(); import mlflow, frostline.plots.style"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_librarys_warning_ends_no_command_and_what_users_ignore_stays_ignored() -> None:
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", FutureWarning)
        set_defaults()
        warnings.warn("old", DeprecationWarning, stacklevel=1)
        warnings.warn("ignored", FutureWarning, stacklevel=1)
    assert [str(warning.message) for warning in shown] == ["old"]


def test_a_home_that_nobody_knows_stays_as_it_is_written() -> None:
    assert expand_home("~nobody_at_all/images") == Path("~nobody_at_all/images")
