"""Digests of a component's code, so that changed code is never a cache hit.

TFX's cache key holds a component's inputs and execution properties. Of the code it holds only a `module_file`. So each
component of this project carries a digest in its execution properties. The digest covers every module of the
project that the executor can reach by imports, the resources beside these modules, and the versions of the libraries
that they import. Nothing is imported: the imports are read from the sources.

A module that computes the names of modules that it loads lists them in a constant, LOADED_BY_NAME. That is a tuple of
modules, where `*` stands for any name, such as `("models.families.*.hyperparameters",)`; or a dict, if the module loads
one of them for each attribute that others import from it.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import hashlib
import importlib.util
import os
import sys
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path, PurePosixPath

RESOURCES = (".css", ".j2", ".json", ".pbtxt", ".sql", ".yaml")  # files beside a module that its code may read

# Libraries that leave their work to another one, whose version therefore counts as well.
_WORKERS = {
    "tensorflow": ("keras",),
    "tensorflow-data-validation": ("tfx-bsl",),
    "tensorflow-model-analysis": ("tfx-bsl",),
    "tensorflow-transform": ("tfx-bsl",),
}

# The modules that an import may name, the longest name first: `from a import b` names a.b, or something in a.
Import = tuple[str, ...]

_ROOT = Path(__file__).resolve().parents[1]  # holds the project's top-level packages and modules


@dataclasses.dataclass(frozen=True)
class Reached:
    """The modules and libraries that some modules can reach by imports.

    Attributes:
        modules: dotted names of the project's modules, with their files.
        libraries: names of the installed distributions that these modules import, with their versions; an import that
            no distribution provides has the version "not installed".
    """

    modules: dict[str, Path]
    libraries: dict[str, str]


def code_digest(*entries: str, root: Path = _ROOT) -> str:
    """Digest of all code that some modules can reach.

    Args:
        entries: dotted names of modules, such as that of an executor. A library's module counts by the versions of its
            own library and of those that its file imports.
        root: the folder that holds the project.

    Returns:
        The first 16 hexadecimal digits of a SHA-256.

    Raises:
        ModuleNotFoundError: the project, or an entry, names a module that does not exist.
    """
    reached = reach(*entries, root=root)
    files = dict(reached.modules)
    folders = {file.parent for file in reached.modules.values()} - {root}
    files |= {file.relative_to(root).as_posix(): file for folder in folders for file in _resources(folder)}
    digest = hashlib.sha256(repr(sorted(reached.libraries.items())).encode())
    for name, file in sorted(files.items()):
        content = file.read_bytes()
        digest.update(f"\0{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:16]


def text_digest(*texts: str) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of some texts."""
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]


def reach(*entries: str, root: Path = _ROOT) -> Reached:
    """Follows imports from some modules. It has the arguments and errors of code_digest."""
    ours = functools.cache(lambda top: _in_project(top, root))
    modules: dict[str, Path] = {}
    waiting: set[Import] = {(entry,) for entry in entries}
    for entry in entries:
        if not ours(_top(entry)):
            waiting |= _imports(_library_file(entry).read_bytes(), entry.rpartition(".")[0])
    seen: set[Import] = set()
    while waiting:
        choice = waiting.pop()
        seen.add(choice)
        if "*" in choice[0]:
            waiting |= {(name,) for name in _matching(choice[0], root)} - seen
            continue
        if not ours(_top(choice[0])):
            continue
        name = next((name for name in choice if name in modules or _file(name, root)), None)
        if name is None:
            raise ModuleNotFoundError(f"no module '{choice[0]}' in {root}")
        # The import of a.b.c runs a and a.b first.
        parents = {name[:end] for end, character in enumerate(name) if character == "."}
        for found in {name, *parents} - modules.keys():
            file = modules[found] = _file(found, root)
            package = found if file.name == "__init__.py" else found.rpartition(".")[0]
            source = file.read_bytes()
            waiting |= _imports(source, package)
            waiting |= _loaded_by_name(source)
        waiting |= _loaded_by_attribute(modules[name].read_bytes(), choice[0].removeprefix(name).removeprefix("."))
        waiting -= seen
    return Reached(modules, _libraries(choice for choice in seen if "*" not in choice[0] and not ours(_top(choice[0]))))


def _top(name: str) -> str:
    return name.partition(".")[0]


def _in_project(top: str, root: Path) -> bool:
    """Whether a top-level module or package is the project's; in site-packages, libraries lie beside it."""
    file = _file(top, root)
    return file is not None and _owners(file.relative_to(root)) == _owners(Path("pipeline", "digest.py"))


def _file(name: str, root: Path) -> Path | None:
    base = os.path.join(root, *name.split("."))
    return next((Path(file) for file in (f"{base}/__init__.py", f"{base}.py") if os.path.isfile(file)), None)


def _matching(pattern: str, root: Path) -> set[str]:
    """The modules of the project that a pattern of LOADED_BY_NAME means."""
    path = pattern.replace(".", "/")
    files = [*root.glob(f"{path}.py"), *(file.parent for file in root.glob(f"{path}/__init__.py"))]
    return {".".join(file.relative_to(root).with_suffix("").parts) for file in files} - {""}


def _resources(folder: Path) -> list[Path]:
    return [folder / name for name in os.listdir(folder) if name.endswith(RESOURCES)]


@functools.cache
def _imports(source: bytes, package: str) -> frozenset[Import]:
    """The imports in a source."""
    found = set()
    for node in _executed(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {(alias.name,) for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            found |= {(f"{module}.{alias.name}", module) for alias in node.names}
    return frozenset(found)


def _loaded_by_name(source: bytes) -> set[Import]:
    """The modules that a source always loads by name."""
    names = _constant(source)
    return set() if isinstance(names, dict) else {(name,) for name in names}


def _loaded_by_attribute(source: bytes, attribute: str) -> set[Import]:
    """The modules that a source loads by name for an attribute; for "", the modules of all attributes."""
    names = _constant(source)
    found = names.items() if isinstance(names, dict) else ()
    return {(module,) for name, module in found if attribute in ("", name)}


@functools.cache
def _constant(source: bytes) -> tuple[str, ...] | dict[str, str]:
    """The constant LOADED_BY_NAME of a source."""
    for node in ast.parse(source).body if b"LOADED_BY_NAME" in source else ():
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "LOADED_BY_NAME":
            return ast.literal_eval(node.value)
    return ()


def _executed(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes below one, except code that only type checkers see."""
    yield node
    only_for_types = isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")
    for child in node.orelse if only_for_types else ast.iter_child_nodes(node):
        yield from _executed(child)


def _libraries(imports: Iterable[Import]) -> dict[str, str]:
    """The distributions that provide some imports, with their versions."""
    found: dict[str, str] = {}
    for choice in imports:
        if _top(choice[0]) in sys.stdlib_module_names:
            continue
        providers = _providers(choice)
        found |= {name: _version(name) for name in providers} or {choice[-1]: "not installed"}
    for name in list(found):
        found |= {worker: _version(worker) for worker in _WORKERS.get(name, ())}
    return found


@functools.cache
def _providers(choice: Import) -> frozenset[str]:
    """The distributions that install the deepest module or package of an import; `google` itself is nobody's."""
    for name in choice:
        parts = name.split(".")
        for end in range(len(parts), 0, -1):
            base = Path(*parts[:end])
            if owners := _owners(base / "__init__.py") or _owners(base.with_suffix(".py")):
                return owners
    return frozenset()


def _owners(file: Path) -> frozenset[str]:
    """Names of the distributions that install a file of site-packages."""
    return _installed_modules().get(file.as_posix(), frozenset())


@functools.cache
def _installed_modules() -> dict[str, frozenset[str]]:
    """By path, the distributions that install each module.

    An extension module is entered as if it were a source. `importlib.metadata.packages_distributions` would not do:
    it knows top-level names only, and on Python 3.10 not even all of these.
    """
    found: dict[str, frozenset[str]] = {}
    for distribution in metadata.distributions():
        owner = {distribution.metadata["Name"].lower().replace("_", "-")}
        for line in (distribution.read_text("RECORD") or "").splitlines():
            path, _, end = line.partition(",")[0].rpartition(".")
            if end == "py":
                file = f"{path}.py"
            elif end in ("so", "pyd"):
                file = f"{PurePosixPath(path).with_suffix('')}.py"
            else:
                continue
            found[file] = found.get(file, frozenset()) | owner
    return found


@functools.cache
def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def _library_file(module: str) -> Path:
    """The source of a library's module; `find_spec` of the module itself would import the packages around it."""
    spec = importlib.util.find_spec(_top(module))
    folder = Path(spec.origin).parent if spec and spec.origin else Path()
    root = folder.parent if spec and spec.submodule_search_locations else folder
    file = _file(module, root)
    if file is None:
        raise ModuleNotFoundError(f"no module '{module}'")
    return file
