"""What MLflow's page of a version says of it."""

from frostline.registry.package import CARD, Candidate
from frostline.text.phrases import counted

__all__ = ["described"]

_MOST = 5000
"""Characters that MLflow's store takes."""

_REST = f"The rest is in {CARD}, among the files of the version."


def described(candidate: Candidate) -> str:
    """One sentence about `candidate`, and its model card as far as MLflow takes it, by whole sections."""
    record = candidate.record
    best = record.best
    sentence = (
        f"{record.backbone} for {record.cell}: {best.strategy}, keep {best.settings.keep}, "
        f"freeze {best.settings.freeze_depth}; the head reads {best.reads}, under {counted(best.views, 'view')}; "
        f"balanced accuracy {record.validation.corrected} in validation ({record.validation.scheme})."
    )
    whole = "\n\n".join([sentence, candidate.card.strip()]) if candidate.card else sentence
    while len(whole) > _MOST and "\n## " in whole:
        whole = whole.removesuffix(f"\n{_REST}").rpartition("\n## ")[0] + f"\n{_REST}"
    return whole
