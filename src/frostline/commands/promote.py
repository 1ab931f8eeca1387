"""`frostline promote`, `rollback` and `history`: which version of a data set's model serves, since when, and why."""

from pathlib import Path

from rich.table import Table

from frostline.config.load import load_config
from frostline.data.sources import open_source
from frostline.data.test_set import read_test_set
from frostline.errors import ConfigError
from frostline.registry import history as records
from frostline.registry.gate import Verdict
from frostline.registry.history import Author
from frostline.registry.models import registered
from frostline.registry.promotion import RegisteredModel, promote, rollback
from frostline.runtime.progress import say
from frostline.runtime.terminal import console, plain
from frostline.stores.addresses import lock_folder
from frostline.text.words import encodable
from frostline.tracking.lineage import lineage_tags, user
from frostline.tracking.runs import Tracker

__all__ = ["history", "roll_back", "run"]

_WIDTH = 165
_LONGEST_REMARK = 1000  # MLflow's stores cut or refuse tags of more than 5,000


def run(dataset: str, why: str, *, dry_run: bool) -> bool:
    """Compare the challenger of `dataset` with its champion on the test images, and promote it if it is better.

    True if it passes, or is champion already. Prints every check. Raises RegistryError if there is no challenger.
    """
    config = load_config()
    test_set = read_test_set(Path("data/prepared") / dataset, open_source(config.dataset(dataset)))
    model = RegisteredModel(Tracker.open(config.stores, dataset), dataset, lock_folder(config.stores))
    outcome = promote(model, test_set, config.promotion, _author(why), seed=config.seed, dry_run=dry_run)
    version = f"{outcome.name} version {outcome.challenger}"
    if outcome.verdict is None:
        say(f"{version} is champion already.")
        return True
    if outcome.lost:
        say(outcome.lost)
    nobody = "no champion that can answer" if outcome.lost else "no champion yet"
    against = f"version {outcome.champion}, the champion" if outcome.champion else f"{nobody}, so floors decide"
    _show(outcome.verdict, f"{version} against {against}, on {outcome.verdict.images} test images")
    if outcome.moved:
        undo = f" Undo: frostline rollback {dataset}" if outcome.champion else ""
        say(f"{version} is champion; `frostline predict` uses it from now on.{undo}")
    elif outcome.verdict.passed:
        say(f"{version} would be promoted; nothing was moved (dry run).")
    else:
        failed = ", ".join(check.name for check in outcome.verdict.checks if not check.passed)
        say(f"{version} is refused: {failed}. Nothing was moved; the checks are set in params.yaml under promotion.")
    return outcome.verdict.passed


def roll_back(dataset: str, why: str) -> None:
    """Make the champion before this one the champion again. Raises RegistryError if there is none."""
    config = load_config()
    config.dataset(dataset)
    model = RegisteredModel(Tracker.open(config.stores, dataset), dataset, lock_folder(config.stores))
    record = rollback(model, _author(why))
    say(f"Version {record.version} is champion of {dataset} again, in place of version {record.before}.")


def history(dataset: str) -> None:
    """Print every change of champion, the newest last. Raises RegistryError if no model is registered."""
    config = load_config()
    config.dataset(dataset)
    client = Tracker.open(config.stores, dataset).client
    name, aliases = registered(client, dataset)
    promotions = records.read(client, name)
    if not promotions:
        say(f"{name} has had no champion yet: frostline promote {dataset}")
        return
    table = Table(title=f"Champions of {name}", header_style="bold")
    for heading in ("when (UTC)", "who", "what", "version", "before", "by", "why"):
        table.add_column(heading)
    for record in promotions:
        moment = record.when.strftime("%Y-%m-%d %H:%M:%S")
        by = "\n".join(f"{check}: {reason}" for check, reason in record.checks.items()) or "by hand"
        version = f"{record.version}, serving" if record.version == aliases.get("champion") else record.version
        cells = (moment, record.author.who, record.action, version, record.before or "-", by, record.author.why or "-")
        table.add_row(*(plain(words, keep="\n") for words in cells))
    console(_WIDTH).print(table)


def _show(verdict: Verdict, title: str) -> None:
    table = Table(title=plain(title), header_style="bold")
    for heading in ("check", "", "found; asked for"):
        table.add_column(heading)
    for check in verdict.checks:
        sign = "[green]passed[/green]" if check.passed else "[red]refused[/red]"
        table.add_row(plain(check.name), sign, plain(check.reason))
    console(_WIDTH).print(table)


def _author(why: str) -> Author:
    if len(why) > _LONGEST_REMARK:
        raise ConfigError(f"--why may hold {_LONGEST_REMARK} characters, but it holds {len(why)}: say it in fewer.")
    return Author(who=encodable(user()), why=encodable(why), lineage=lineage_tags())
