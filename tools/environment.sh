#!/usr/bin/env bash
# Makes the virtual environment $1 from the hash-pinned requirements.txt, with a Python that this host supports.
#
# TFX 1.21 (Python 3.11 to 3.13) needs glibc 2.39 or newer; TFX 1.16 (Python 3.10) runs on any glibc Linux.
# ENV_PYTHON=3.12 chooses one of the versions that the host supports.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${1:?usage: tools/environment.sh FOLDER}

fail() {
    printf 'Cannot make the environment: %s\n' "$1" >&2
    exit 1
}

# ---- which Python -----------------------------------------------------------------------------------------------
[ "$(uname -s)-$(uname -m)" = Linux-x86_64 ] ||
    fail "TFX has wheels for Linux on x86-64 only, and this is $(uname -s) on $(uname -m). Use such a machine or container."
glibc=$(getconf GNU_LIBC_VERSION 2>/dev/null | cut -d' ' -f2) || true
[ -n "$glibc" ] ||
    fail "this Linux has no glibc (Alpine?), and TFX has no wheels for another C library. Use Debian, Ubuntu or the like."
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }
if at_least "$glibc" 2.39; then
    stack="TFX 1.21"
    versions="3.13 3.12 3.11"
elif at_least "$glibc" 2.17; then
    stack="TFX 1.16 (glibc $glibc; TFX 1.21 needs 2.39)"
    versions="3.10"
else
    fail "glibc $glibc is too old: TFX 1.16 needs 2.17 and TFX 1.21 needs 2.39. Use a newer distribution."
fi
if [ -n "${ENV_PYTHON:-}" ]; then
    case " $versions " in
    *" $ENV_PYTHON "*) versions=$ENV_PYTHON ;;
    *) fail "ENV_PYTHON=$ENV_PYTHON is not possible with glibc $glibc. Choose from: $versions." ;;
    esac
fi

# With PYENV_VERSION, pyenv's shims find a version that is installed but not selected.
works() { PYENV_VERSION=$1 "python$1" -c "import sys, sysconfig, venv; sys.exit(sys.version_info[:2] != ($2))" 2>/dev/null; }
python=
for version in $versions; do
    if works "$version" "${version/./, }"; then
        python=$(PYENV_VERSION=$version "python$version" -c 'import sys; print(sys.executable)')
        break
    fi
done

# pyfarmhash and rouge-score have no wheels for Python 3.13, so pip compiles them.
if [ "${version:-}" = 3.13 ] && [ -n "$python" ] && ! command -v c++ >/dev/null; then
    fail "Python 3.13 needs a C++ compiler here: apt-get install g++ python3-dev (or install Python 3.12)."
fi

# ---- uv, pinned by the same requirements file -------------------------------------------------------------------
mkdir -p .build
uv=.build/uv/bin/uv
wanted=$(sed -n 's/^uv==\([0-9.]*\).*/\1/p' requirements.txt)
if [ "$("$uv" --version 2>/dev/null | cut -d' ' -f2)" != "$wanted" ]; then
    echo "Installing uv $wanted ..."
    rm -rf .build/uv
    python3 -m venv .build/uv >.build/uv.log 2>&1 ||
        fail "python3 -m venv failed: $(tail -n 1 .build/uv.log) On Debian and Ubuntu: apt-get install python3 python3-venv."
    sed -n '/^uv==/,/[^\\]$/p' requirements.txt >.build/uv.txt
    .build/uv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .build/uv.txt ||
        fail "uv $wanted could not be installed with pip; see the message above."
fi

# ---- the environment --------------------------------------------------------------------------------------------
export UV_SYSTEM_CERTS=1 # the host's certificates, also behind a company's proxy
if [ -z "$python" ]; then
    echo "This host has no Python $versions. uv downloads one ..."
    python=${versions%% *}
fi
"$uv" venv --quiet --allow-existing --seed --python "$python" "$target" ||
    fail "$stack needs Python ${versions// / or }, but none was found or downloaded. Install it (pyenv install ${versions%% *}, or your distribution's package with its venv module) and try again."
echo "Installing $stack with $("$target/bin/python" -V) into $target ..."
"$uv" pip install --quiet --python "$target/bin/python" --require-hashes -r requirements.txt ||
    fail "the packages of requirements.txt could not be installed; see the message above."
