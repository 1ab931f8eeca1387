"""What several workers gain a study, and what they cost it.

    python -m benchmarks.cluster --parts overhead      # what the driver needs for a trial
    python -m benchmarks.cluster --parts threads       # two workers of one thread against one of two
    python -m benchmarks.cluster --parts simulation    # makespan and quality on 1 to 256 workers
    python -m benchmarks.cluster --parts durations     # after dvc repro: what the simulation takes trials to last

overhead: studies of `--trials` trials that train nothing. Driver, Optuna's and MLflow's SQLite files and Ray's actors
are real; each actor answers at once, with a validation of a head, or with the reports of three epochs and four folds.
Actors ask for no CPU, so that any number runs on any machine. What is written down is seconds by what was called; in
Ray's are those in which the driver waits for actors.

threads: the stage `train` of the default of params.yaml, whole, in a process of its own, with empty stores and an empty
prefix cache. All ways in turn, then all again, so that other work on the machine meets all of them.

simulation: frostline's own driver, schedule, races and sampler over the table of learning curves, as benchmarks.replay
runs them, on workers in virtual time. A head takes as long as the head of that number in a measured study, what thaws
blocks as long as its images do there; for each reply the driver takes `--driver` seconds. `asynchronous` is what
frostline does; in `batches` a study waits for all that it has asked for before it asks for more. A study of effort
`quick` is the default; `larger` has 60 heads, and 239 trials that thaw blocks, each trained to its end. And TPE alone:
the validation loss of networks that thaw blocks, with so many of its trials in flight.

Adds rows to `cluster-<part>.csv` and `cluster-tpe.csv` as it goes on, where those that are there are kept; draws
`cluster.png`, and prints tables.
"""

from pathlib import Path

import optuna

from ..measuring import RESULTS, Option, describe, markdown_table, parse
from . import overhead, pace, parallel_tpe, simulation, summary, threads

PARTS = ["overhead", "threads", "durations", "simulation"]


def main() -> None:
    options = parse(
        __doc__,
        parts=Option(["overhead", "simulation"], smallest=PARTS, choices=PARTS),
        actors=Option([2, 32], smallest=[2], help="of overhead: so many at once"),
        trials=Option(1000, smallest=8, help="of overhead: in a study"),
        heads=Option(80, smallest=4, help="of overhead: so many of them heads"),
        images=Option(800, smallest=24, help="of overhead: in the cell"),
        repeats=Option(3, smallest=1, help="of overhead"),
        ways=Option(list(threads.WAYS), smallest=[threads.BASE], choices=list(threads.WAYS), help="of threads"),
        sizes=Option(["small", "large"], help="of threads, in params.yaml"),
        rounds=Option(3, smallest=1, help="of threads: each way once a round"),
        models=Option(Path("models"), kind=Path, help="of durations: what dvc repro has left"),
        table=Option(RESULTS / "curves", kind=Path, help="of simulation: a folder that benchmarks.curves wrote"),
        durations=Option(RESULTS / pace.FILE, kind=Path, help="of simulation: what the part durations wrote"),
        efforts=Option(list(simulation.STUDIES), smallest=["quick"], choices=list(simulation.STUDIES)),
        workers=Option([1, 2, 4, 8, 16, 32, 64, 128, 256], smallest=[1, 2], help="of simulation"),
        driver=Option(0.05, help="of simulation: seconds of the driver for each reply"),
        quick_repeats=Option(5, smallest=1, help="of simulation"),
        larger_repeats=Option(1, help="of simulation"),
        tpe_trials=Option([20, 40], smallest=[6], help="of simulation, by TPE alone"),
        tpe_repeats=Option(5, smallest=1, help="of simulation, by TPE alone"),
    )
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    shown = []
    if "overhead" in options.parts:
        shown.append(summary.overhead_table(overhead.measure(options)))
    if "threads" in options.parts:
        shown.append(summary.threads_table(threads.measure(options)))
    if "durations" in options.parts:
        durations = pace.measured(options.output / "project/models" if options.smallest else options.models)
        durations.to_csv(options.output / pace.FILE, index=False)
        shown.append(summary.durations_table(durations))
    if "simulation" in options.parts:
        studies, searches = simulation.simulate(options), parallel_tpe.measure(options)
        summary.figure(studies, searches).savefig(options.output / "cluster.png")
        shown += [summary.simulation_table(studies), summary.tpe_table(searches)]
    print(*map(markdown_table, shown), describe(), sep="\n\n")


if __name__ == "__main__":
    main()
