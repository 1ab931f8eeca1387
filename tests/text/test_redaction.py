import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frostline.config.load import load_config
from frostline.errors import ConfigError, StoreError
from frostline.search.study import list_studies
from frostline.text.redaction import redacted, shown


@pytest.mark.parametrize(
    ("address", "without"),
    [
        ("postgresql://ada:s3cret@db.org:5432/optuna", "postgresql://db.org:5432/optuna"),
        ("postgresql://ada:s3/c@ret@db.org/optuna", "postgresql://db.org/optuna"),
        ("mysql+pymysql://db.org/x?user=ada&password=s3cret", "mysql+pymysql://db.org/x"),
        ("https://s3cret@mlflow.org/team", "https://mlflow.org/team"),
        ("https://mlflow.org?api_token=s3c@ret", "https://***"),
        ("https://ada:s3?cret@mlflow.org", "https://***"),
        ("https://mlflow.org/#s3cret", "https://mlflow.org/"),
        ("databricks", "databricks"),
        ("postgresql:ada:s3cret@db.org/x", "***"),
        ("http:/ada:s3cret@db.org", "***"),
        ("jdbc:postgresql://db.org/x;password=s3cret", "jdbc:postgresql://db.org/x"),
        ("postgresql://ada:s3;cret@db.org/x", "postgresql://***"),
    ],
)
def test_an_address_is_shown_without_what_is_secret(address, without):
    assert shown(address) == without


LETTERS = st.text(string.ascii_letters + string.digits + "%@:/!", min_size=6, max_size=12)


FORMS = (
    *("https://u:{}@h/p", "postgresql://h/db?password={}", "https://h?access_token={}"),
    *(
        "postgresql:u:{}@h/db",
        "http:/u:{}@h",
        "mssql+pyodbc:///?odbc_connect=UID=sa;PWD={}",
        "jdbc:x://h/db;password={}",
    ),
)


@given(LETTERS, st.sampled_from(FORMS))
def test_no_text_about_an_address_keeps_its_secret(secret, form):
    address = form.format(secret)
    said = f"refused {address} (user u, password {secret})"
    assert secret not in redacted(said, address)
    assert secret not in shown(address)


def test_secrets_in_other_addresses_and_in_the_environment_are_hidden_too(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "t0ken")
    said = "t0ken for https://ada:pw@proxy.org/x and https://h/?a=1&API_KEY=abc&b=2"
    assert redacted(said) == "*** for https://***@proxy.org/x and https://h/?a=1&API_KEY=***&b=2"


def test_addresses_that_are_none_by_a_slip_are_hidden_in_any_text():
    said = redacted("no such store as postgresql:ada:s3cret@db.org/x, http:/ada:s3cret@db.org or ada:s3cret@db.org")
    assert said == "no such store as postgresql:***@db.org/x, http:/***@db.org or ada:***@db.org"


def test_the_address_in_the_environment_is_hidden_from_errors_that_do_not_know_it(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://ada:s3/c@ret@mlflow.org")
    assert redacted("refused: https://ada:s3/c@ret@mlflow.org (password s3/c@ret)") == (
        "refused: https://***@mlflow.org (password ***)"
    )


@pytest.mark.parametrize(
    "text",
    [
        f"stores: postgresql://ada:{'s3cret' * 20}@db.org/x",
        f"stores: {{tracking: [postgresql://ada:{'s3cret' * 20}@database.of.a.long.name.example.org/experiments]}}",
        "stores: {'postgresql://ada:s3cret@db.org': 1}",
    ],
)
def test_faults_in_params_keep_no_password_though_they_are_cut_short(text, tmp_path):
    (tmp_path / "params.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"\*\*\*@d") as caught:
        load_config(tmp_path / "params.yaml")
    assert "s3c" not in str(caught.value)


def test_parts_of_a_password_that_drivers_quote_are_hidden():
    said = redacted('could not translate host name "s3c@db.org", port "r3t"', "postgresql://ada:pw@s3c:r3t@db.org/x")
    assert said == 'could not translate host name "***@db.org", port "***"'


def test_errors_about_stores_keep_no_password(tmp_path, monkeypatch):
    from frostline.config.schema import StoresConfig
    from frostline.tracking.runs import Tracker

    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://ada:s3cret@127.0.0.1:9/x?token=t0ken")
    stores = StoresConfig(tracking="unused", studies="unused", cache=tmp_path, cache_gigabytes=1)
    with pytest.raises(StoreError, match=r"The MLflow store http://127\.0\.0\.1:9/x cannot be opened") as refused:
        Tracker.open(stores, "cells")
    with pytest.raises(StoreError, match=r"The study storage nonsense://db\.org/x .* cannot be opened") as unknown:
        list_studies("nonsense://ada:s3cret@db.org/x?sslpassword=t0ken")
    (tmp_path / "params.yaml").write_text("stores: postgresql://ada:s3cret@db.org/x?password=t0ken")
    with pytest.raises(ConfigError, match=r"stores: .* received 'postgresql://\*\*\*@db.org") as faulty:
        load_config(tmp_path / "params.yaml")
    for caught in (refused, unknown, faulty):
        assert "s3cret" not in str(caught.value)
        assert "t0ken" not in str(caught.value)
