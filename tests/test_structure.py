"""What docs/architecture.md says of the structure: imports run one way, and without circles."""

import ast
import graphlib
from pathlib import Path

ROOT = Path(__file__).parent.parent
MAY_IMPORT = {
    "models": {"models"},
    "preprocessing": {"models"},
    "schema": set(),
    "pipeline": {"models", "pipeline", "preprocessing", "schema"},
    "propensity": {"pipeline"},
    "runners": {"models", "pipeline", "preprocessing", "runners", "schema"},
}
MOST_LINES = 300
TOOLS = ("benchmarks", "tests", "tools")  # they may import anything; nothing else imports them


def modules(*tops):
    """Each module below the given folders, by its dotted name, with its file."""
    files = [path for top in tops for path in [ROOT / f"{top}.py", *(ROOT / top).rglob("*.py")] if path.is_file()]
    named = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in files}
    return {name.removesuffix(".__init__"): path for name, path in named.items()}


def imported(tree):
    """Dotted names that statements anywhere below a node import, modules and what comes from them."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def at_import_time(tree):
    """The module's statements that run when it is imported: no functions, and nothing for type checkers alone."""
    body = []
    for node in tree.body:
        typing_only = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        if not typing_only and not isinstance(node, ast.FunctionDef | ast.ClassDef):
            body.append(node)
    return ast.Module(body, [])


def test_imports_run_one_way():
    tops = (*MAY_IMPORT, *TOOLS)
    wrong = [
        f"{name} imports {target}"
        for name, path in modules(*MAY_IMPORT).items()
        for target in imported(ast.parse(path.read_text()))
        if (top := target.split(".")[0]) in tops and top not in MAY_IMPORT[name.split(".")[0]]
    ]
    assert wrong == []


def test_no_modules_import_each_other():
    known = modules(*MAY_IMPORT)
    graph = {
        name: {target for target in imported(at_import_time(ast.parse(path.read_text()))) if target in known} - {name}
        for name, path in known.items()
    }
    # A package's own __init__ is imported before its modules, whatever they name.
    packages = {name for name, path in known.items() if path.name == "__init__.py"}
    graph = {
        name: {t for t in targets if not (t in packages and name.startswith(f"{t}."))}
        for name, targets in graph.items()
    }
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError, which names them


def test_modules_are_short():
    lines = {name: len(path.read_text().splitlines()) for name, path in modules(*MAY_IMPORT, "tools").items()}
    assert {name: count for name, count in lines.items() if count > MOST_LINES} == {}
