"""A user's words as MLflow's names, judged by MLflow's own rules and a real store."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mlflow import MlflowClient
from mlflow.utils.validation import _validate_metric

from frostline.tracking.keys import keys, stored
from frostline.tracking.runs import Run

ANY = st.text(st.characters(exclude_categories=()))
HOSTILE = (
    ".",
    "..",
    "a/b",
    "a_b",
    ",",
    "!",
    "?",
    "_",
    "x" * 240,
    "x" * 239 + "y",
    "Dog",
    "dog",
    "café",
    "cafe",
    " a",
    "a",
)
HOSTILE += (
    "漢字",
    "हिन्दी",
    "a:b",
    "a\n",
    "\0",
    "\udce9",
    "../../etc",
    "",
    "-",
    "a.",
    "e\u0301",
    "é",
    "ß",
    "ss",
    "if",
    "ﬁ",
)


def careless(key: str) -> str:
    """As a database compares that knows neither case nor accents nor spaces at the end."""
    letters = unicodedata.normalize("NFKD", key.casefold().rstrip())
    return "".join(each for each in letters if not unicodedata.combining(each))


@given(st.lists(ANY, unique=True, max_size=8))
@example(list(HOSTILE))
@example(["a/b", *keys(["a/b"]).values()])
@example(["a/b", next(iter(keys(["a/b"]).values())).upper()])
def test_mlflow_takes_every_key_and_no_two_are_one(names: list[str]) -> None:
    found = keys(names)
    assert list(found) == names
    assert len({careless(key) for key in found.values()}) == len(names)
    for key in found.values():
        _validate_metric(f"test_precision/{key}", 0.5, 0, 0)
        assert ":" not in key  # which Windows refuses


@pytest.mark.parametrize("name", ["defective", "solar cells", "v1.2-b", "漢字", "x" * 100])
def test_a_name_that_mlflow_takes_is_its_own_key(name: str) -> None:
    assert keys([name, "other"])[name] == name


def test_a_key_does_not_depend_on_the_other_names() -> None:
    assert keys(["a/b"])["a/b"] == keys(["a/b", "a_b", "?"])["a/b"] == "a_b-c14cddc033f6"
    assert keys(["a/b", "a_b"])["a_b"] == "a_b"


@given(ANY)
def test_a_value_is_short_enough_and_holds_nothing_that_databases_refuse(text: str) -> None:
    value = stored(text, 20)
    value.encode()
    assert len(value) <= 20
    assert "\0" not in value


def test_a_real_store_keeps_hostile_names_and_values_apart(tmp_path) -> None:
    client = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    run = Run(client.create_run(client.create_experiment("e", tmp_path.as_uri())).info.run_id, client)
    found = keys(HOSTILE)
    run.log_metrics({f"test_recall/{key}": float(number) for number, key in enumerate(found.values())})
    run.log_params({"path": "p\udce9" + "x" * 7000})
    run.set_tags({"why": "a\0b" + "x" * 9000})
    data = client.get_run(run.id).data
    assert [data.metrics[f"test_recall/{key}"] for key in found.values()] == list(range(len(HOSTILE)))
    assert data.params["path"].startswith(r"p\udce9x")
    assert data.tags["why"].startswith(r"a\x00bx")
    assert data.tags["why"].endswith("x…")
