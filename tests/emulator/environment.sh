#!/usr/bin/env bash
# Makes the environment of the BigQuery emulator, .build/emulator unless $1 names another folder, with Python 3.11 or newer.
set -euo pipefail
cd "$(dirname "$0")/../.."
uv=.build/uv/bin/uv
target=${1:-.build/emulator}
if [ ! -x "$uv" ]; then
    echo "$uv is not there: make test (or tools/environment.sh) installs it." >&2
    exit 1
fi

export UV_SYSTEM_CERTS=1
"$uv" venv --quiet --clear --no-project --python '>=3.11' "$target"
echo "Installing the BigQuery emulator with $("$target/bin/python" -V) into $target ..."
"$uv" pip install --quiet --python "$target/bin/python" --require-hashes -r tests/emulator/requirements.txt

# DuckDB looks for its extensions below HOME, and fetches from the net what is not there: these come from the wheels.
"$target/bin/python" - "$target/home/.duckdb/extensions" <<'PYTHON'
import importlib.util, pathlib, sys
import duckdb

[(platform,)] = duckdb.sql("PRAGMA platform").fetchall()
folder = pathlib.Path(sys.argv[1], f"v{duckdb.__version__}", platform)
folder.mkdir(parents=True)
for name in ("avro", "spatial"):
    package = pathlib.Path(importlib.util.find_spec(f"duckdb_extension_{name}").origin).parent
    [extension] = package.rglob(f"{name}.duckdb_extension")
    folder.joinpath(extension.name).symlink_to(extension)
PYTHON
touch "$target/.ready"
