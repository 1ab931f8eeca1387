"""The CSV files of this benchmark, and the tables it prints of them."""

from pathlib import Path

import pandas as pd

from frostline.records.train_record import TrainRecord

from ..measuring import markdown_table

COLD, WARM = "frostline-cold", "frostline-warm"
KEY = ["way", "cell", "study", "most_epochs", "trial", "kind"]
WHOLE = "whole list"
KINDS = ["head", "last-block", "partial", "all", WHOLE]
POINT = 0.01


def identity(record: TrainRecord, most_epochs: int) -> dict[str, object]:
    """What tells one list of trials, as run here, from another."""
    return {
        "cell": record.name,
        "study": record.fingerprints.study[:8],
        "most_epochs": most_epochs,
    }


def epochs_file(output: Path) -> Path:
    return output.with_stem(f"{output.stem}-epochs")


def read(path: Path) -> pd.DataFrame:
    """The rows in `path`; where a list was run again, the later ones."""
    rows = pd.read_csv(path, dtype={"study": str})
    return rows.drop_duplicates([name for name in [*KEY, "epoch"] if name in rows], keep="last")


def print_tables(rows: pd.DataFrame, epochs: pd.DataFrame, ways: list[str]) -> None:
    """Over the trials that all of `ways` have run."""
    rows = rows[rows["way"].isin(ways)]
    ran = rows.groupby(["cell", "trial", "kind"])["way"].transform("nunique")
    rows = rows[(ran == len(ways)) | (rows["kind"] == "setup")]
    kinds = pd.concat([rows[rows["kind"] != "setup"], rows.assign(kind=WHOLE)])
    kinds["kind"] = pd.Categorical(kinds["kind"], [kind for kind in KINDS if kind in set(kinds["kind"])], ordered=True)
    rivals = [way for way in ways if way not in (COLD, WARM)]
    tables = {"Seconds per epoch: mean over trials (lowest to highest)": cost_table(kinds, ways)}
    if rivals and len(rivals) < len(ways):
        tables["How many times as long as frostline"] = speed_table(kinds, rivals)
        if (rows["epochs"] < rows["allowed_epochs"]).any():
            tables["The same, projected to all epochs that the study allows"] = speed_table(projected(kinds), rivals)
        tables["Seconds until a score is first reached"] = reached_table(rows, epochs, rivals)
    tables["Validation balanced accuracy: mean over trials of the best epoch / of the last"] = score_table(kinds, ways)
    for title, table in tables.items():
        print(f"{title}\n\n{markdown_table(table.reset_index())}\n")


def cost_table(rows: pd.DataFrame, ways: list[str]) -> pd.DataFrame:
    each = rows.groupby(["cell", "kind", "way"], observed=True)["seconds_per_epoch"]
    cost = each.agg(["mean", "min", "max"]).map("{:.2f}".format)
    table = (cost["mean"] + " (" + cost["min"] + " to " + cost["max"] + ")").unstack("way")[ways]
    trials = rows[(rows["way"] == ways[0]) & (rows["trial"] > 0)].groupby(["cell", "kind"], observed=True)
    table.insert(0, "trials", trials.size())
    table.insert(1, "epochs", trials["epochs"].sum())
    return table


def speed_table(rows: pd.DataFrame, rivals: list[str]) -> pd.DataFrame:
    """Whole trials, builds and traces included; the whole list with what comes before frostline's first trial.

    Extraction is shared by all trials. Each kind, as if it stood alone, is charged with all that the list needed.
    """
    sums = rows.groupby(["cell", "kind", "way"], observed=True)[["seconds", "cpu_seconds"]].sum().unstack("way")
    seconds, cpu_seconds = sums["seconds"], sums["cpu_seconds"]
    filling = rows[(rows["way"] == COLD) & (rows["trial"] == 0)].set_index("cell")["extraction_seconds"]
    cells, kinds = (seconds.index.get_level_values(name) for name in ("cell", "kind"))
    charged = seconds[COLD] + filling.reindex(cells).to_numpy() * (kinds != WHOLE)
    ratios = {
        rival: pd.DataFrame(
            {
                "cache warm": seconds[rival] / seconds[WARM],
                "cold, extraction counted": seconds[rival] / charged,
                "warm, in CPU seconds": cpu_seconds[rival] / cpu_seconds[WARM],
            }
        )
        for rival in rivals
    }
    return pd.concat(ratios, names=["way"]).map("{:.1f}".format)


def projected(rows: pd.DataFrame) -> pd.DataFrame:
    """Trials as if they had trained for all epochs that their study allows, at the seconds per epoch they had."""
    longer = (rows["allowed_epochs"] / rows["epochs"]).where(rows["epochs"] > 0, 1.0)
    return rows.assign(seconds=rows["seconds"] * longer, cpu_seconds=rows["cpu_seconds"] * longer)


def score_table(rows: pd.DataFrame, ways: list[str]) -> pd.DataFrame:
    """The last columns: frostline's best epoch less another way's, in points, mean over trials ± its standard error."""
    mean = rows.groupby(["cell", "kind", "way"], observed=True)[["best_score", "last_score"]].mean()
    text = mean.map("{:.3f}".format)
    table = (text["best_score"] + " / " + text["last_score"]).unstack("way")[ways]
    best = rows[rows["trial"] > 0].set_index(["cell", "kind", "trial", "way"])["best_score"].unstack("way") / POINT
    for way in ways:
        if WARM in ways and way not in (COLD, WARM):
            less = (best[WARM] - best[way]).groupby(["cell", "kind"], observed=True).agg(["mean", "sem"])
            spread = less["sem"].map(" ± {:.1f}".format, na_action="ignore").fillna("")
            table[f"less {way}"] = less["mean"].map("{:+.1f}".format) + spread
    return table


def reached_table(rows: pd.DataFrame, epochs: pd.DataFrame, rivals: list[str]) -> pd.DataFrame:
    """The score that a rival's search ends with, and one a point lower: the highest of many is a lucky one."""
    lines = {}
    for cell, own in rows.groupby("cell", sort=False):
        times = {way: timeline(trials, epochs) for way, trials in own.groupby("way")}
        for rival in rivals:
            best = times[rival]["score"].max()
            for score in (best, best - POINT):
                first = {way: each.loc[each["score"] >= score, "elapsed"].min() for way, each in times.items()}
                line = {"its own": first[rival], COLD: first[COLD], WARM: first[WARM]}
                line |= {"times sooner, cold": first[rival] / first[COLD], "warm": first[rival] / first[WARM]}
                lines[cell, rival, f"{score:.4f}"] = line
    table = pd.DataFrame.from_dict(lines, orient="index").map("{:.1f}".format).replace("nan", "not reached")
    return table.rename_axis(["cell", "way", "score"])


def timeline(trials: pd.DataFrame, epochs: pd.DataFrame) -> pd.DataFrame:
    """The epochs of one way's trials, in which `elapsed` is seconds since the search began."""
    trials = trials.sort_values("trial", kind="stable")
    begins = trials[KEY].assign(begin=trials["seconds"].cumsum() - trials["seconds"])
    every = begins.merge(epochs, on=KEY)
    return every.assign(elapsed=every["begin"] + every["seconds"])
