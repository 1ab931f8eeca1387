"""What only people can say of a data set and of models for it: words for model cards."""

from frostline.config.section import Section

__all__ = ["CardConfig"]


class CardConfig(Section):
    """Words for the model cards of a data set; what is not given is said to be not stated.

    `data` says where the pictures come from and under which licence, `intended_use` what models are for and what they
    are not for, `considerations` who may be harmed by a wrong answer.
    """

    data: str | None = None
    intended_use: str | None = None
    considerations: str | None = None
