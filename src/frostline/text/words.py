"""A user's words (class names, file names, remarks) on their way into other notations, whatever they are made of."""

import re
import unicodedata

__all__ = ["encodable", "escaped", "markdown", "one_line", "visible"]

# Format characters join or part letters in Persian, Indic scripts and emoji; all others of their kind only mislead.
_JOINERS = "\u200c\u200d"
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~&$:@])")


def encodable(text: str) -> str:
    r"""`text` as it is, but for the bytes of a file's name that are no UTF-8: those become `\udcXX`."""
    return text.encode("utf-8", "backslashreplace").decode()


def visible(text: str, keep: str = "") -> str:
    r"""`text` with everything that does not show written as Python writes it: `\n`, `\x1b`, `\u202e`, `\udce9`.

    That is control and format characters, line separators, surrogates, and what Unicode does not define; but not
    spaces, the two joiners of letters, and the characters in `keep`.

    >>> print(visible("two\nlines, \u202eturned"))
    two\nlines, \u202eturned
    """
    if text.isprintable():
        return text
    return "".join(escaped(each) if _is_hidden(each) and each not in keep else each for each in text)


def markdown(text: str) -> str:
    """`text` in one line of Markdown, in which nothing of it is taken for markup, a link or HTML."""
    return _MARKDOWN.sub(r"\\\1", visible(text))


def one_line(error: Exception, most: int = 300) -> str:
    """What an error of another library says, on one line of at most so many characters; its kind, if it says nothing.

    >>> one_line(ValueError("too   long.")), one_line(ValueError())
    ('too long', 'ValueError')
    """
    return " ".join(str(error).split())[:most].rstrip(".") or type(error).__name__


def escaped(character: str) -> str:
    r"""One character as Python writes it in ASCII: `\n`, `\x1b`, `\u6f22`."""
    return character.encode("unicode_escape").decode("ascii")


def _is_hidden(character: str) -> bool:
    return unicodedata.category(character) in _HIDDEN and character not in _JOINERS
