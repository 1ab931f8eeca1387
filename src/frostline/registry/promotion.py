"""Move the alias `champion`: forward through the gate, back without one; every move is recorded."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from filelock import FileLock, Timeout

from frostline.config import PromotionConfig
from frostline.data.held_out import HeldOut
from frostline.errors import RegistryError
from frostline.progress import track
from frostline.registry.gate import Evidence, Verdict, judge
from frostline.registry.history import Author, Promotion, append, read
from frostline.registry.latency import seconds_per_picture
from frostline.registry.models import LoadedVersion, Tracking, load_version, predict, registered
from frostline.words import markdown

__all__ = ["Outcome", "promote", "rollback"]

_AT_ONCE = 32


@dataclass(frozen=True)
class Outcome:
    """What a promotion came to. `verdict` is None where the challenger was champion already."""

    name: str
    challenger: str
    champion: str | None
    verdict: Verdict | None
    moved: bool


def promote(
    tracker: Tracking,
    dataset: str,
    held_out: HeldOut,
    config: PromotionConfig,
    author: Author,
    locks: Path,
    *,
    seed: int,
    dry_run: bool = False,
) -> Outcome:
    """Make the challenger of `dataset` its champion, and the champion until now `previous`, if it passes the gate.

    Both versions answer to the same files, now: test images that neither was trained on. Nothing moves if a check fails
    or `dry_run` is set.

    Raises RegistryError if there is no challenger, no image to compare by, or another promotion is under way.
    """
    name, aliases = registered(tracker.client, dataset)
    challenger, champion = aliases.get("challenger"), aliases.get("champion")
    if challenger is None:
        raise RegistryError(f"{name} has no challenger to promote: run `frostline register {dataset}` first.")
    if challenger == champion:
        return Outcome(name, challenger, champion, None, moved=False)
    with _alone(locks, name):
        versions = [load_version(tracker, name, version) for version in (challenger, champion) if version is not None]
        images = held_out.without(frozenset().union(*(version.trained_on for version in versions)))
        if not images.paths:
            either = " or ".join(version.number for version in versions)
            raise RegistryError(
                f"{name}: every test image was used to train version {either}, so that nothing is left to judge by. "
                "Prepare the data set with the seed that it was prepared with before."
            )
        evidence = _evidence(versions, images)
        verdict = judge(images.labels, images.groups, evidence[0], evidence[1] if champion else None, config, seed)
        moved = verdict.passed and not dry_run
        if moved:
            _move(
                tracker,
                dataset,
                aliases,
                Promotion.now(
                    action="promoted",
                    version=challenger,
                    before=champion,
                    author=author,
                    checks={check.name: check.reason for check in verdict.checks},
                    numbers=verdict.numbers | {"challenger_seconds": evidence[0].seconds},
                ),
                previous=champion,
            )
    return Outcome(name, challenger, champion, verdict, moved=moved)


def rollback(tracker: Tracking, dataset: str, author: Author, locks: Path) -> Promotion:
    """Make the version that was champion before the champion again, and give its record.

    `previous` becomes the champion before that one, so that a further rollback goes on back. Raises RegistryError if
    there is none.
    """
    name, aliases = registered(tracker.client, dataset)
    previous = aliases.get("previous")
    if previous is None:
        raise RegistryError(f"{name} has no champion before this one to go back to: see `frostline history {dataset}`.")
    with _alone(locks, name):
        followed = {
            record.version: record.before for record in read(tracker.client, name) if record.action == "promoted"
        }
        record = Promotion.now(action="rolled back", version=previous, before=aliases.get("champion"), author=author)
        _move(tracker, dataset, aliases, record, previous=followed.get(previous))
    return record


def _move(tracker: Tracking, dataset: str, seen: Mapping[str, str], record: Promotion, *, previous: str | None) -> None:
    """Write `record`, then the aliases, unless somebody moved them since `seen`."""
    name, now = registered(tracker.client, dataset)
    if any(now.get(alias) != seen.get(alias) for alias in ("champion", "challenger")):
        raise RegistryError(
            f"{name} was changed by somebody else meanwhile (champion is now version {now.get('champion')}, challenger "
            f"{now.get('challenger')}): nothing was moved. Run the command again."
        )
    append(tracker.client, name, record)
    if previous is not None:
        tracker.client.set_registered_model_alias(name, "previous", previous)
    elif "previous" in now:
        tracker.client.delete_registered_model_alias(name, "previous")
    tracker.client.set_registered_model_alias(name, "champion", record.version)
    tracker.client.update_registered_model(name, _description(dataset, record))


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


def _evidence(versions: list[LoadedVersion], images: HeldOut) -> list[Evidence]:
    """What each version answers to all `images`, over the classes that any of them knows."""
    starts = range(0, len(images.paths), _AT_ONCE)
    answers = [
        pd.concat(
            [
                predict(version.model, images.paths[start : start + _AT_ONCE])
                for start in track(starts, f"Version {version.number} answers, by batches", len(starts))
            ]
        )
        for version in versions
    ]
    unusable = answers[0][answers[0]["error"] != ""]
    if len(unusable):
        row = unusable.iloc[0]
        raise RegistryError(f"The test image {row['image']} cannot be used now: {row['error']}. Run `dvc repro`.")
    prefix = "probability_"
    tables = [answer.filter(like=prefix).rename(columns=lambda name: name.removeprefix(prefix)) for answer in answers]
    others = sorted({name for table in tables for name in table.columns} - set(images.classes))
    columns = [*images.classes, *others]
    seconds = seconds_per_picture([version.model for version in versions], images.paths[0])
    return [
        Evidence(table.reindex(columns=columns, fill_value=0.0).to_numpy(dtype=np.float64), each)
        for table, each in zip(tables, seconds, strict=True)
    ]


@contextmanager
def _alone(locks: Path, name: str) -> Iterator[None]:
    locks.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(locks / f"{name}.lock", timeout=0):
            yield
    except Timeout:
        raise RegistryError(
            f"Another promotion or rollback of {name} is under way on this machine: wait for it, then run again."
        ) from None
