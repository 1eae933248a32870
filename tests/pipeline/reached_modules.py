"""Run in a copy of the project: which modules change a component's digest, and which ones its executor really imports.

The second answer does not come from the digest. The modules are imported, then every import in the body of a function
is done as well, read from the compiled code, until nothing new is loaded; `sys.modules` has the answer.

python reached_modules.py names.json answer.json
"""

import dis
import importlib
import json
import sys
import types
from pathlib import Path

ROOT = Path(__file__).resolve().parent
PROJECT = ("models", "pipeline", "preprocessing")


def main(names: Path, answer: Path) -> None:
    """Writes, by node, the files whose edit changes the digest, and those that are really imported.

    Args:
        names: a JSON file: by node, the modules that its executor does not import but runs by their names.
        answer: where to write, as JSON.
    """
    run_by_name = json.loads(names.read_text())
    components = nodes()
    changing = edited(components)
    imported = {
        node: really_imported(component.executor_spec.executor_class.__module__, *run_by_name.get(node, []))
        for node, component in components.items()
    }
    answer.write_text(json.dumps({"changing": changing, "imported": imported}))


def nodes():
    """The nodes that have a digest: by id, of a training pipeline that has as many nodes as possible; and by
    `scoring/<id>`, of a scoring pipeline.
    """
    import schema
    from models.config import validate_settings
    from pipeline.pipeline import create_pipeline
    from pipeline.scoring_pipeline import create_scoring_pipeline
    from pipeline.settings.dataset_folder import DatasetFolder
    from pipeline.settings.run import RunSettings
    from pipeline.settings.run_parameters import RunParameters, ScoringParameters

    run = validate_settings({"warehouse": {"engine": "duckdb"}}, RunSettings, origin="test")
    folder = DatasetFolder.load(schema.ROOT / "ga4", {"training.tuning.search": "random"})
    pipeline = create_pipeline(name="p", root="r", serving="s", folder=folder, run=run, parameters=RunParameters())
    scoring = create_scoring_pipeline(
        name="p", root="r", score_table="t", folder=folder, run=run, parameters=ScoringParameters()
    )
    found = {component.id: component for component in pipeline.components}
    found |= {f"scoring/{component.id}": component for component in scoring.components}
    return {name: component for name, component in found.items() if hasattr(component, "code_digest")}


def edited(components) -> dict[str, list[str]]:
    """By node, the files whose edit changes the digest, as paths below the root."""
    before = {node: component.code_digest() for node, component in components.items()}
    changing = {node: [] for node in components}
    for file in sorted(path for name in PROJECT for path in (ROOT / name, ROOT / f"{name}.py") if path.exists()):
        for path in [file] if file.is_file() else sorted(file.rglob("*")):
            if path.suffix in (".pyc", "") or "__pycache__" in path.parts:
                continue
            content = path.read_bytes()
            path.write_bytes(content + b"\n")
            for node, component in components.items():
                if component.code_digest() != before[node]:
                    changing[node].append(str(path.relative_to(ROOT)))
            path.write_bytes(content)
    return changing


def really_imported(*modules: str) -> list[str]:
    """The files of the project's modules that these modules import, those in function bodies as well."""
    for name in [name for name in sys.modules if name.partition(".")[0] in PROJECT]:
        del sys.modules[name]
    for name in modules:
        importlib.import_module(name)
    done = set()
    while new := {name for name in sys.modules if name.partition(".")[0] in PROJECT} - done:
        done |= new
        for name in new:
            module = sys.modules[name]
            code = compile(Path(module.__file__).read_text(encoding="utf-8"), module.__file__, "exec")
            for constant in code.co_consts:
                if isinstance(constant, types.CodeType):
                    import_all(constant, module)
    return sorted(str(Path(sys.modules[name].__file__).relative_to(ROOT)) for name in done)


def import_all(code: types.CodeType, module: types.ModuleType) -> None:
    """Does the imports of the project's modules in a code object and those inside it."""
    before = []
    for instruction in dis.get_instructions(code):
        if instruction.opname == "IMPORT_NAME":
            level, names = before[-2], before[-1]
            if level or instruction.argval.partition(".")[0] in PROJECT:
                __import__(instruction.argval, vars(module), None, names or (), level)
        before.append(instruction.argval)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            import_all(constant, module)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
