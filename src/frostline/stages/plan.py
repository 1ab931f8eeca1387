"""Say how long this machine will take for what is to be done, step by step; leave the parameters that DVC compares."""

from collections.abc import Sequence

from rich.table import Table

from frostline.config.effort import EFFORTS
from frostline.config.load import load_config
from frostline.planning.costs import Costs
from frostline.planning.steps import Step, changed_stages, due_steps, steps_of
from frostline.records.settings import write_settings
from frostline.runtime.progress import say
from frostline.runtime.terminal import console

__all__ = ["run"]

_MINUTE, _HOUR = 60, 3600


def run(*, due: bool = False) -> None:
    """Print what each step of the matrix takes on this machine; with `due`, of those alone that DVC would run now.

    `data/settings.yaml` is written, too. What each word of `search.effort` would come to is said in the end.

    Raises DataError or BackboneError where params.yaml names what is not there.
    """
    config = load_config()
    write_settings(config)
    steps, changed = list(steps_of(config)), changed_stages()
    waiting = steps if changed is None else due_steps(steps, changed)
    shown = waiting if due else steps
    if not shown:
        say("Nothing that takes time is to be done.")
        return
    costs = Costs.measure(config)
    say(f"How long this machine takes ({costs.machine}):")
    table = Table("stage", "of", header_style="bold")
    table.add_column("about", justify="right", no_wrap=True)
    for step in shown:
        table.add_row(step.stage, step.item, _told(costs.seconds(step)) if step in waiting else "up to date")
    table.add_section()
    table.add_row(
        "all that is to be done", "", _told(sum(costs.seconds(step) or 0.0 for step in waiting)), style="bold"
    )
    console(100).print(table)
    if studies := [step for step in shown if step.stage == "train"]:
        told = [f"{effort} {_told(_in_all(costs, studies, effort))}" for effort in EFFORTS]
        say(f"Studies by search.effort: {', '.join(told)}.")
    if absent := [dataset for dataset in config.datasets if dataset not in costs.counts]:
        say(f"Not counted: {', '.join(absent)}, whose files are not here before the stage prepare has got them.")


def _in_all(costs: Costs, studies: Sequence[Step], effort: str) -> float:
    return sum(costs.with_effort(effort).seconds(step) or 0.0 for step in studies)


def _told(seconds: float | None) -> str:
    if seconds is None:
        return "not known"
    if seconds < _MINUTE:
        return f"{seconds:.0f} s"
    return f"{seconds / _MINUTE:.1f} min" if seconds < _HOUR else f"{seconds / _HOUR:.1f} h"
