"""No module does anything when it is imported, and none keeps what changes: whoever loads a served model gets no more.

What Python runs on import is read from the source: all but the bodies of functions.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import frostline

ROOT = Path(frostline.__file__).parent
MODULES = sorted(str(path.relative_to(ROOT)) for path in ROOT.rglob("*.py"))

# These only make a value, or mark the function that they decorate.
PURE = {
    *("Path", "bytes", "bytes.maketrans", "dict.fromkeys", "frozenset", "np.finfo", "range", "re.compile", "tuple"),
    *("ConfigDict", "Field", "AfterValidator", "BeforeValidator", "TypeVar", "get_args", "dataclass", "field"),
    *("lru_cache", "model_validator", "partial", "plainly", "quiet_decoders", "quieted"),
    *("typer.Argument", "typer.Option", "typer.Typer"),
    *("BackboneSpec", "ComputeConfig", "Effort", "Levels", "PrepareConfig", "PreprocessConfig", "ProfileConfig"),
    *("PromotionConfig", "SearchConfig", "ServingConfig", "SimilarUpTo", "StoresConfig", "TrainConfig", "_Short"),
    *("Columns", "PictureColumns"),
}
# What else each of these must do, and why.
MORE = {
    "cli.py": {"app.add_typer", "app.callback", "app.command"},  # Typer's way to build a command line
    "commands/cache_commands.py": {"app.command"},
    "commands/model_commands.py": {"app.command"},
    "data/budget.py": {"Budget"},  # memory is the whole process's
    "registry/served.py": {"set_model", "ServedClassifier"},  # MLflow's models-from-code form
}
# Names that functions change, each where no other place would do.
KEPT = {
    "runtime/ending.py": {"Interrupted.latest"},  # signals come to the whole process
    "stores/sqlite.py": {"_deadlines"},  # many connections share the patience with one file
}
CHANGING = {"add", "append", "clear", "discard", "extend", "insert", "pop", "popitem", "remove", "setdefault", "update"}


def work_at_import(source: str) -> set[str]:
    """What a module does when it is imported, beside defining names: the functions called, and odd statements."""
    tree = ast.parse(source)
    found: set[str] = set()
    for statement in tree.body:
        match statement:
            case ast.Import() | ast.ImportFrom() | ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                pass
            case ast.Assign(targets=[ast.Name() | ast.Tuple()]) | ast.AnnAssign(target=ast.Name()):
                pass
            case ast.Expr(value=ast.Constant() | ast.Call()):  # calls are judged below
                pass
            case ast.If(test=ast.Name("TYPE_CHECKING")):
                continue
            case ast.If(test=ast.Compare(left=ast.Name("__name__"))):
                continue
            case _:
                found.add(ast.unparse(statement))
        called = (node.func for node in _run(statement) if isinstance(node, ast.Call))
        found |= {ast.unparse(function) for function in called if not _is_of_a_string(function)}
    return found


def _is_of_a_string(function: ast.expr) -> bool:
    return isinstance(function, ast.Attribute) and isinstance(function.value, ast.Constant)


def kept_state(source: str) -> set[str]:
    """The names of a module, and the attributes of its classes, that its functions change."""
    tree = ast.parse(source)
    own = {node.id for top in tree.body for node in _run(top) if isinstance(node, ast.Name) and _is_stored(node)}
    own |= {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
    found: set[str] = set()
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.Lambda)):
        nodes = list(ast.walk(function))
        local = {node.arg for node in nodes if isinstance(node, ast.arg)}
        local |= {node.id for node in nodes if isinstance(node, ast.Name) and _is_stored(node)}
        for node in nodes:
            match node:
                case ast.Global(names=names):
                    found |= set(names)
                case ast.Subscript(value=ast.Name(name)) if _is_stored(node) and name in own - local:
                    found.add(name)
                case ast.Attribute(value=ast.Name(name)) if _is_stored(node) and name in own - local:
                    found.add(ast.unparse(node))
                case ast.Call(func=ast.Attribute(value=ast.Name(name), attr=how)) if how in CHANGING:
                    found |= {name} & (own - local)
    return found


def _is_stored(node: ast.Name | ast.Subscript | ast.Attribute) -> bool:
    return isinstance(node.ctx, ast.Store | ast.Del)


def _run(node: ast.AST) -> Iterator[ast.AST]:
    """All of `node` that Python runs on import: of functions, their decorators and defaults."""
    yield node
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            parts = [*node.decorator_list, node.args, *([node.returns] if node.returns else [])]
        case ast.Lambda():
            parts = [node.args]
        case _:
            parts = list(ast.iter_child_nodes(node))
    for part in parts:
        yield from _run(part)


@pytest.mark.parametrize("module", MODULES)
def test_importing_a_module_only_defines_names(module: str) -> None:
    assert work_at_import((ROOT / module).read_text(encoding="utf-8")) <= PURE | MORE.get(module, set())


@pytest.mark.parametrize("module", MODULES)
def test_what_a_module_defines_stays_as_it_is(module: str) -> None:
    assert kept_state((ROOT / module).read_text(encoding="utf-8")) <= KEPT.get(module, set())


@pytest.mark.parametrize(
    ("source", "work"),
    [
        (
            "import logging\nlogging.getLogger('a').setLevel(50)",
            {"logging.getLogger('a').setLevel", "logging.getLogger"},
        ),
        ("rcParams.update({})", {"rcParams.update"}),
        ("os.environ['A'] = ''", {"os.environ['A'] = ''"}),
        ("class A:\n    b = open('c')", {"open"}),
        ("@register(1)\ndef a(b=load()): return c()", {"register", "load"}),
        ("A = [read(b) for b in 'cd']", {"read"}),
        ("A = {'b': lambda: c(), 'd': '|'.join('ef')}\ndef g(): h()", set()),
        ("A |= {}", {"A |= {}"}),
        ("for a in 'bc': pass", {"for a in 'bc':\n    pass"}),
    ],
)
def test_work_is_seen(source: str, work: set[str]) -> None:
    assert work_at_import(source) == work


@pytest.mark.parametrize(
    ("source", "state"),
    [
        ("a = 0\ndef b():\n    global a\n    a = 1", {"a"}),
        ("A = {}\ndef b(): A['c'] = 1", {"A"}),
        ("A = []\ndef b(): A.append(1)", {"A"}),
        ("A = []\ndef b(A): A.append(1)", set()),
        ("class A:\n    b = 0\n    def c(self): A.b = 1", {"A.b"}),
        ("class A:\n    def c(self): self.b = 1", set()),
    ],
)
def test_state_is_seen(source: str, state: set[str]) -> None:
    assert kept_state(source) == state
