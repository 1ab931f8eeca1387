"""Write the pages of docs/reference that follow from the code: `python scripts/reference_pages.py`.

The command line comes from Typer, params.yaml from the schema and from the comments of the committed file, the HTTP API
from FastAPI. A test holds the committed pages equal to what this writes.
"""

import html
import json
import re
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from reference_rules import MEANINGS, allowed, rule_of

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "reference"
_BOUNDS = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "to", "exclusiveMaximum": "below"}
MADE = "<!-- Made by scripts/reference_pages.py: change the code, and run it again. -->\n\n"


def pages() -> dict[str, str]:
    """The text of each page, by its name in docs/reference."""
    described = _openapi()
    return {
        "command-line.md": MADE + _command_line(),
        "params.md": MADE + _parameters(),
        "http.md": MADE + _http(described),
        "openapi.json": json.dumps(described, indent=2) + "\n",
    }


def _command_line() -> str:
    from typer._click import Context
    from typer.cli import get_docs_for_click
    from typer.main import get_command

    from frostline.cli import app

    command = get_command(app)
    text = get_docs_for_click(obj=command, ctx=Context(command), name="frostline", title="The command line")
    return html.unescape(text).strip() + "\n"


def _parameters() -> str:
    from frostline.config.schema import Config

    schema = Config.model_json_schema()
    meanings = _meanings((ROOT / "params.yaml").read_text(encoding="utf-8"))
    lines = [
        "# params.yaml\n",
        "`datasets`, `sizes` and `backbones` must be there: they are DVC's matrix. Every other key may be left out,",
        "and then has the default below. `frostline init` writes a file with all keys, explained.\n",
    ]
    for section, held in schema["properties"].items():
        lines += [f"## {section}\n", *_section(section, held, schema, meanings), ""]
    return "\n".join(lines).rstrip() + "\n"


def _section(section: str, held: dict[str, Any], schema: dict[str, Any], meanings: dict[str, str]) -> list[str]:
    entry = held.get("additionalProperties", {})
    kinds = [_resolved(one, schema) for one in entry.get("oneOf", [entry] if "$ref" in entry else [])]
    if "$ref" in held:
        kinds = [_resolved(held, schema)]
    if not kinds:
        told = entry if entry else held
        meaning = meanings.get(section, "")
        default = "" if entry else f" Default: `{json.dumps(held['default'])}`."
        named = "Names of your own. Each is " if entry else ""
        return [f"{named}{_kind(told, schema)}.{default}{' ' + _capital(meaning) + '.' if meaning else ''}"]
    lines = ["Names of your own, each with these keys." if entry else ""]
    for kind in kinds:
        source = kind["properties"].get("source", {}).get("const")
        lines += [f"\n### source: {source}\n" if source else "", _plain(kind.get("description", "")), ""]
        lines += _table(kind, section, schema, meanings)
    return [line for number, line in enumerate(lines) if line or (number and lines[number - 1])]


def _table(kind: dict[str, Any], where: str, schema: dict[str, Any], meanings: dict[str, str]) -> list[str]:
    rows = ["| key | takes | default | meaning |", "|---|---|---|---|"]
    for key, held in kind["properties"].items():
        if key == "source":
            continue
        needed = key in kind.get("required", ())
        default = "must be given" if needed else _default(held)
        meaning = meanings.get(f"{where}.{key}") or MEANINGS.get(f"{where}.{key}", "")
        if not meaning:
            raise ValueError(
                f"{where}.{key} has no comment in params.yaml: explain it there, or in reference_rules.py."
            )
        rows.append(f"| `{key}` | {_kind(held, schema)} | {default} | {meaning} |")
    return [*rows, ""]


def _default(held: dict[str, Any]) -> str:
    from frostline.config.effort import EFFORTS

    words = {json.dumps(effort.model_dump()): word for word, effort in EFFORTS.items()}
    told = json.dumps(held.get("default"))
    return f"`{words.get(told, told)}`"


def _kind(held: dict[str, Any], schema: dict[str, Any]) -> str:
    """What a key takes, in words."""
    title = _resolved(held, schema)["title"] if "$ref" in held else held.get("title", "")
    options = [each for each in held.get("anyOf", ()) if each != {"type": "null"}]
    if words := rule_of(title):
        several = "a list of " if "items" in (options or [held])[0] and title != "Strategies" else ""
        return several + words + (", or `null`" if len(options) < len(held.get("anyOf", ())) else "")
    if "$ref" in held:
        inner = _resolved(held, schema)
        return "keys: " + ", ".join(f"`{key}` ({_kind(each, schema)})" for key, each in inner["properties"].items())
    if "anyOf" in held:
        return ", or ".join(_kind(each, schema) for each in held["anyOf"])
    if values := held.get("enum") or ([held["const"]] if "const" in held else []):
        taken = allowed(title, values)
        return ("one of " if len(taken) > 1 else "") + ", ".join(f"`{value}`" for value in taken)
    return _several(held, schema) if held.get("type") in ("array", "object") else _one(held)


def _several(held: dict[str, Any], schema: dict[str, Any]) -> str:
    if held["type"] == "object":
        return "names with " + _kind(held["additionalProperties"], schema)
    return "a range `[low, high]`" if "prefixItems" in held else f"a list of: {_kind(held['items'], schema)}"


def _one(held: dict[str, Any]) -> str:
    text = "a path" if held.get("format") == "path" else "text"
    kinds = {"integer": "a whole number", "number": "a number", "boolean": "`true` or `false`", "null": "`null`"}
    bounds = [f"{words} {held[name]:g}" for name, words in _BOUNDS.items() if held.get(name, 2**31) < 2**31]
    return " ".join([kinds.get(held.get("type", ""), text), *bounds])


def _resolved(held: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    return cast(dict[str, Any], schema["$defs"][held["$ref"].rpartition("/")[2]])


def _meanings(text: str) -> dict[str, str]:
    """What the comments of params.yaml say of each key, by its place: `train.batch_size`."""
    found: dict[str, list[str]] = {}
    above: list[tuple[int, str]] = []
    last = ""
    told: dict[str, str] = {}  # of keys, in lines of comment before their section
    for line in text.splitlines():
        if before := re.match(r"#   ([a-z_]+): (.*)", line):
            told[before[1]] = before[2]
        elif section := re.match(r"([a-z]+):", line):
            found |= {f"{section[1]}.{name}": [words] for name, words in told.items()}
            told = {}
        key = re.match(r"( *)([A-Za-z_]\w*):", line)
        comment = re.search(r"(?:^|\s)#\s*(.*)$", line)
        if key:
            depth = len(key[1])
            above = [*(each for each in above if each[0] < depth), (depth, key[2])]
            last = ".".join(name for _, name in above)
        elif not comment or not line.startswith(" "):
            last = ""
        if comment and last:
            found.setdefault(last, []).append(comment[1])
    return {key: " ".join(lines).rstrip(" .").replace("|", "\\|") for key, lines in found.items()}


def _openapi() -> dict[str, Any]:
    from fastapi.openapi.utils import get_openapi

    import frostline
    from frostline.serving.server import create_app

    app = create_app(cast(Any, SimpleNamespace(metrics=None)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # GET and HEAD of one path share their name
        described = get_openapi(title="frostline serve", version=frostline.__version__, routes=app.routes)
    for methods in described["paths"].values():
        methods.pop("head", None)
    return described


def _http(described: dict[str, Any]) -> str:
    lines = [
        "# The HTTP API\n",
        "`frostline serve` answers these requests. The same as OpenAPI: [openapi.json](openapi.json). What a request",
        "may cost, and how to operate the server: [serving](../models.md#serving).\n",
        "| request | what it is for |",
        "|---|---|",
    ]
    for path, methods in described["paths"].items():
        for method, told in methods.items():
            lines.append(f"| `{method.upper()} {path}` | {told['summary']} |")
    lines += ["\n## POST /invocations\n", "The body is JSON, in one of these forms:\n"]
    asked = described["paths"]["/invocations"]["post"]
    forms = asked["requestBody"]["content"]["application/json"]["schema"]["oneOf"]
    lines += [f"- `{form['required'][0]}`" for form in forms]
    lines += ["\nThe answer holds `model` (name and version) and `predictions`, with an object per picture:\n"]
    rows = asked["responses"]["200"]["content"]["application/json"]["schema"]["properties"]["predictions"]["items"]
    lines += ["| key | what it is |", "|---|---|"]
    for key, held in rows["properties"].items():
        kinds = held["type"] if isinstance(held["type"], list) else [held["type"]]
        lines.append(f"| `{key}` | {' or '.join(kinds)}. {held.get('description', '')} |".replace(". |", " |"))
    lines += ["| `probability_<class>` | number or null, for each class |", "\n| status | meaning |", "|---|---|"]
    lines += [f"| {status} | {told['description']} |" for status, told in asked["responses"].items() if status != "422"]
    return "\n".join(lines) + "\n"


def _plain(text: str) -> str:
    return " ".join(text.split())


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
        print(f"docs/reference/{name}")
