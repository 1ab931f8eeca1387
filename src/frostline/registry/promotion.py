"""Move the alias `champion`: forward through the gate, back without one; every move is recorded."""

from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from frostline.config.schema import PromotionConfig
from frostline.data.test_set import TestSet
from frostline.errors import RegistryError, VersionError
from frostline.registry.evidence import gather
from frostline.registry.gate import Verdict, judge
from frostline.registry.history import Author, Promotion, read
from frostline.registry.models import LoadedVersion, Tracking, load_version, registered
from frostline.registry.moves import champions, finish_move, move
from frostline.registry.versions import damage, fetch
from frostline.runtime.progress import say
from frostline.stores.alone import alone
from frostline.text.words import markdown

__all__ = ["Outcome", "RegisteredModel", "promote", "rollback"]


@dataclass(frozen=True)
class RegisteredModel:
    """The registered model of `dataset` in the store of `tracker`; who changes it holds its lock in `locks`."""

    tracker: Tracking
    dataset: str
    locks: Path


@dataclass(frozen=True)
class Outcome:
    """What a promotion came to. `verdict` is None where the challenger was champion already.

    `champion` is the version that was compared with, or None; `lost` says why a champion could not be.
    """

    name: str
    challenger: str
    champion: str | None
    verdict: Verdict | None
    moved: bool
    lost: str = ""


def promote(
    model: RegisteredModel,
    test_set: TestSet,
    config: PromotionConfig,
    author: Author,
    *,
    seed: int,
    dry_run: bool = False,
) -> Outcome:
    """Make the challenger of `model` its champion, and the champion until now `previous`, if it passes the gate.

    Both versions answer to the same files, now: test images that neither was trained on, nor on near copies of them.
    Nothing moves if a check fails or `dry_run` is set. A champion whose files are gone or changed can serve no longer,
    so that floors alone decide, and the record says so.

    Raises RegistryError if there is no challenger, its files are gone or changed (VersionError), there is no image to
    compare by, or another promotion is under way; DataError if a test image is gone.
    """
    tracker, dataset = model.tracker, model.dataset
    name, _ = registered(tracker.client, dataset)
    with alone(model.locks, name):
        if not dry_run:
            _finish(tracker, name)
        _, aliases = registered(tracker.client, dataset)
        challenger, champion = aliases.get("challenger"), aliases.get("champion")
        if challenger is None:
            raise RegistryError(f"{name} has no challenger to promote: run `frostline register {dataset}` first.")
        if challenger == champion:
            fetch(tracker.client, tracker.client.get_model_version(name, champion))
            return Outcome(name, challenger, champion, verdict=None, moved=False)
        versions, lost = [load_version(tracker, name, challenger)], ""
        try:
            versions += [load_version(tracker, name, champion)] if champion else []
        except VersionError as error:
            lost = str(error)
        images = _unseen(name, versions, test_set)
        shared, evidence = gather(versions, images)
        compared = evidence[1] if len(evidence) > 1 else None
        verdict = judge(shared.labels, shared.groups, evidence[0], compared, config, seed)
        moved = verdict.passed and not dry_run
        if moved:
            numbers = verdict.numbers | {"challenger_seconds": evidence[0].seconds}
            record = Promotion.now(
                action="promoted",
                version=challenger,
                before=champion,
                author=author,
                checks={check.name: check.reason for check in verdict.checks} | ({"champion": lost} if lost else {}),
                numbers={name: value for name, value in numbers.items() if isfinite(value)},
            )
            _refuse_if_changed(tracker, dataset, challenger, champion)
            move(tracker.client, name, record, champion, _description(dataset, record))
    return Outcome(name, challenger, champion if compared else None, verdict, moved, lost)


def rollback(model: RegisteredModel, author: Author) -> Promotion:
    """Make the version that was champion before the champion again, and give its record; to go on goes further back.

    Versions whose files are gone or changed are passed over. A rollback that was interrupted is finished instead.
    Raises RegistryError if there is none to go back to.
    """
    client, dataset = model.tracker.client, model.dataset
    name, _ = registered(client, dataset)
    with alone(model.locks, name):
        finished = _finish(model.tracker, name)
        if finished and finished.action == "rolled back":
            return finished
        _, aliases = registered(client, dataset)
        champion = aliases.get("champion")
        line = champions(read(client, name), champion)
        before = line[:-1] if champion else line
        known = {str(version.version): version for version in client.search_model_versions(f"name = '{name}'")}
        while before:
            reason = damage(client, known[before[-1]]) if before[-1] in known else "it was deleted"
            if not reason:
                break
            say(f"Version {before.pop()} is passed over: {reason}.")
        if not before:
            raise RegistryError(
                f"{name} has no champion before this one to go back to: see `frostline history {dataset}`."
            )
        record = Promotion.now(action="rolled back", version=before[-1], before=champion, author=author)
        move(client, name, record, before[-2] if len(before) > 1 else None, _description(dataset, record))
    return record


def _finish(tracker: Tracking, name: str) -> Promotion | None:
    record = finish_move(tracker.client, name)
    if record:
        say(f"Finished what was interrupted: {name} version {record.version} was {record.action}.")
    return record


def _unseen(name: str, versions: list[LoadedVersion], test_set: TestSet) -> TestSet:
    """The test images that none of `versions` was trained on, nor on near copies of them."""
    images = test_set.without(frozenset().union(*(version.trained_on for version in versions)))
    if not images.paths:
        either = " or ".join(version.number for version in versions)
        raise RegistryError(
            f"{name}: every test image, or a near copy of it, was used to train version {either}, so that nothing is "
            "left to judge by. Prepare the data set with the seed that it was prepared with before."
        )
    return images


def _refuse_if_changed(tracker: Tracking, dataset: str, challenger: str, champion: str | None) -> None:
    """Raise RegistryError if somebody moved the aliases since these were read."""
    name, now = registered(tracker.client, dataset)
    if (now.get("challenger"), now.get("champion")) != (challenger, champion):
        raise RegistryError(
            f"{name} was changed by somebody else meanwhile (champion is now version {now.get('champion')}, challenger "
            f"{now.get('challenger')}): nothing was moved. Run the command again."
        )


def _description(dataset: str, record: Promotion) -> str:
    """What MLflow's UI says on the model's page."""
    lines = [f"- {name}: {reason}" for name, reason in record.checks.items()]
    who = markdown(record.author.who)
    why = f" ({markdown(record.author.why)})" if record.author.why else ""
    return "\n".join(
        [
            f"Classifies images like those of {dataset}. Version {record.version} is champion: {record.action} by "
            f"{who} on {record.when:%Y-%m-%d}{why}, in place of {record.before or 'none'}. Its source "
            "run holds the study and its test metrics.",
            "",
            *lines,
        ]
    )
