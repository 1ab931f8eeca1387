"""The names that people give to splits: train, Training, test_set, val2017, seg_train."""

import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass

__all__ = ["EVALUATION", "UNLABELLED", "SplitName", "parse", "settle"]

EVALUATION = "evaluation"  # is the test split, unless there is one besides
UNLABELLED = "unlabelled"

# The words for the three in German, French, Spanish, Portuguese, Italian, Russian, Chinese and Japanese.
_TRAIN = (
    *("trainings", "trainingsdaten", "entrainement", "entraînement", "apprentissage", "entrenamiento", "treinamento"),
    *("treino", "addestramento", "обучение", "训练", "训练集", "訓練", "學習", "学習", "学習用"),
)
_VAL = (
    *("validierung", "validierungsdaten", "validación", "validacion", "validação", "validacao", "validazione"),
    *("валидация", "验证", "验证集", "驗證", "検証", "検証用"),
)
_TEST = (
    *("tests", "testdaten", "prueba", "pruebas", "teste", "testes", "тест", "测试", "测试集", "測試"),
    *("テスト", "テスト用"),
)
_SPLIT_OF = {
    **dict.fromkeys(("train", "training", "trn", "trainval"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "validate", "dev", "devel", "development"), "val"),
    **dict.fromkeys(("test", "testing", "tst", "holdout", "heldout"), "test"),
    **dict.fromkeys(("eval", "evaluation", "evaluate"), EVALUATION),
    **dict.fromkeys(("unlabelled", "unlabeled", "pred", "predict", "prediction", "predictions"), UNLABELLED),
    **dict.fromkeys(_TRAIN, "train"),
    **dict.fromkeys(_VAL, "val"),
    **dict.fromkeys(_TEST, "test"),
}
_PICTURES = ("image", "images", "img", "imgs", "picture", "pictures", "pics", "photo", "photos")
_FORMATS = ("jpg", "jpeg", "png")
_FILLING = frozenset(
    ("set", "sets", "data", "dataset", "split", "splits", "folder", "dir", "files", *_PICTURES, *_FORMATS)
)
_GLUED = re.compile(rf"({'|'.join(_SPLIT_OF)})({'|'.join(_FILLING)})")


@dataclass(frozen=True)
class SplitName:
    """A name as a split's: which one it is, if any, and the words of the name besides, such as `seg` in seg_train."""

    split: str | None
    rest: tuple[str, ...]


def parse(name: str) -> SplitName:
    """Look for a split in `name`: train, val, test, EVALUATION or UNLABELLED. Numbers and words like `set` are filling.

    A name that is for training and validation is the training split's; other pairs are no split.
    """
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", unicodedata.normalize("NFC", name)).casefold()
    parts = re.split(r"[\W\d_]+", re.sub(r"(hold|held)[\W_]out", r"\1out", spaced))
    words = [glued[1] if (glued := _GLUED.fullmatch(part)) else part for part in parts]
    splits = {_SPLIT_OF[word] for word in words if word in _SPLIT_OF}
    rest = tuple(word for word in words if word and word not in _SPLIT_OF and word not in _FILLING)
    if splits == {"train", "val"}:
        return SplitName("train", rest)
    return SplitName(splits.pop() if len(splits) == 1 else None, rest)


def settle(split: str, among: Collection[str | None]) -> str:
    """Which of train, val and test `split` is, `among` those that the source names."""
    if split == EVALUATION:
        return "val" if "test" in among else "test"
    return split
