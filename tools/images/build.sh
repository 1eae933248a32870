#!/usr/bin/env bash
# Builds the Dockerfile's images with podman, on a machine without a Docker engine or an image registry.
#
#   bash tools/images/build.sh base       Debian 13 with its Python, by debootstrap; replaces the public python image
#   bash tools/images/build.sh pipeline   localhost/propensity-pipeline:local, for every step on Vertex AI (makes base if needed)
#   bash tools/images/build.sh dataflow   localhost/propensity-dataflow:local, Dataflow's SDK container (makes the others if needed)
#   bash tools/images/build.sh check      checks both
#   bash tools/images/build.sh clean      removes all of them
#
# To use the public images, set BASE_IMAGE=docker.io/library/python:3.13-slim-trixie and
# BEAM_IMAGE=docker.io/apache/beam_python3.13_sdk:<version>. The default is a base image from Debian's packages and a
# stand-in for Beam's boot. PIP_CONFIG_FILE and UV_CONFIG_FILE name files with settings of pip and uv. The build uses
# these files and the host's certificates and proxies, but the images do not contain them.
set -euo pipefail
cd "$(dirname "$0")/../.."

own_base=localhost/propensity-base:local
stand_in=localhost/propensity-beam-stand-in:local
pipeline=localhost/propensity-pipeline:local
dataflow=localhost/propensity-dataflow:local
base=${BASE_IMAGE:-$own_base}
beam=${BEAM_IMAGE:-$stand_in}
certificates=${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}
export CONTAINERS_CONF=${CONTAINERS_CONF:-$PWD/tools/images/containers.conf}

fail() {
    printf 'build.sh: %s\n' "$1" >&2
    exit 1
}

scratch=$(mktemp -d)
trap 'rm -rf --one-file-system "$scratch"' EXIT

needs() { # COMMAND...: installs missing commands, if possible
    local missing=() command
    for command in "$@"; do command -v "$command" >/dev/null || missing+=("$command"); done
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        fail "${missing[*]} not found. On Debian and Ubuntu: apt-get install podman runc debootstrap (or run this as root)."
    fi
    echo "Installing ${missing[*]} with apt-get ..."
    { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "${missing[@]}"; } \
        >"$scratch/apt.log" 2>&1 || { tail -n 5 "$scratch/apt.log" >&2; fail "apt-get could not install ${missing[*]}."; }
}

engine() {
    if ! command -v podman >/dev/null || ! { command -v runc || command -v crun; } >/dev/null; then
        needs podman runc # crun does not run with every version of control groups
    fi
}

timed() { # WHAT COMMAND...: shows the output only if the command fails
    local what=$1 began=$SECONDS
    shift
    echo "$what ..."
    "$@" >"$scratch/log" 2>&1 || { tail -n 30 "$scratch/log" >&2; fail "$what: failed after $((SECONDS - began)) s; see above."; }
    echo "$what: $((SECONDS - began)) s"
}

size() { # IMAGE
    echo "$1: $(podman image inspect --format '{{.Size}}' "$1" | awk '{printf "%.2f GB", $1 / 1e9}')"
}

# ---- the base image ---------------------------------------------------------------------------------------------
debian() {
    local root=$scratch/root
    debootstrap --variant=minbase \
        --include=ca-certificates,netbase,python3,python3-dev,python3-venv,tzdata trixie "$root"
    # As in the public image: `python` exists, pip may install packages, and there are no package lists.
    ln -s python3 "$root/usr/bin/python"
    rm -rf "$root"/usr/lib/python3*/EXTERNALLY-MANAGED "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/archives/*.deb \
        "$root"/etc/hostname "$root"/etc/resolv.conf
    tar -C "$root" --one-file-system -c . | podman import --change 'CMD ["python3"]' --change 'ENV LANG=C.UTF-8' \
        --change 'ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin' - "$own_base"
}

make_base() {
    engine
    if [ "$base" != "$own_base" ]; then
        echo "The base image is $base."
        return
    fi
    [ "$(id -u)" = 0 ] || fail "debootstrap needs root. Run this as root, or set BASE_IMAGE=docker.io/library/python:3.13-slim-trixie."
    needs debootstrap
    timed "Making $own_base of Debian's packages" debian
    size "$own_base"
}

# ---- the Dockerfile's targets -----------------------------------------------------------------------------------
build() { # TARGET IMAGE
    local mounts=()
    [ ! -f "$certificates" ] || mounts+=(--volume "$(realpath "$certificates"):/etc/ssl/certs/ca-certificates.crt:ro")
    # In /dev/shm, which is not part of the image.
    [ -z "${PIP_CONFIG_FILE:-}" ] || mounts+=(
        --volume "$(realpath "$PIP_CONFIG_FILE"):/dev/shm/pip.conf:ro" --build-arg PIP_CONFIG_FILE=/dev/shm/pip.conf)
    [ -z "${UV_CONFIG_FILE:-}" ] || mounts+=(
        --volume "$(realpath "$UV_CONFIG_FILE"):/dev/shm/uv.toml:ro" --build-arg UV_CONFIG_FILE=/dev/shm/uv.toml)
    podman build --target "$1" --tag "$2" --network host "${mounts[@]}" --build-arg BASE_IMAGE="$base" \
        --build-arg BEAM_IMAGE="$beam" --build-arg REVISION="$(revision)" .
}

drop_older() { # removes images that a newer build of the same target replaced
    local title
    for title in propensity-dataflow propensity-pipeline; do
        podman image prune --force --filter "label=org.opencontainers.image.title=$title" >/dev/null
    done
}

revision() {
    git describe --always --dirty --abbrev=40 --exclude '*' 2>/dev/null || echo unknown
}

make_pipeline() {
    engine
    [ "$base" != "$own_base" ] || podman image exists "$own_base" || make_base
    timed "Building $pipeline" build pipeline "$pipeline"
    drop_older
    size "$pipeline"
}

boot_stand_in() {
    mkdir -p "$scratch/beam/opt/apache/beam"
    printf '#!/bin/sh\necho "A stand-in for the boot program of Beam'\''s public image." >&2\nexit 1\n' \
        >"$scratch/beam/opt/apache/beam/boot"
    chmod 755 "$scratch/beam/opt/apache/beam/boot"
    tar -C "$scratch/beam" -c opt | podman import - "$stand_in"
}

make_dataflow() {
    make_pipeline
    [ "$beam" != "$stand_in" ] || podman image exists "$stand_in" ||
        timed "Making $stand_in, a stand-in for Beam's boot" boot_stand_in
    timed "Building $dataflow" build dataflow "$dataflow"
    drop_older
    size "$dataflow"
}

check() {
    engine
    needs python3
    local image began=$SECONDS
    for image in "$pipeline" "$dataflow"; do
        podman image exists "$image" || fail "$image does not exist. Build both images: bash tools/images/build.sh dataflow"
    done
    python3 tools/images/check.py "$pipeline" "$dataflow"
    echo "Checked both images: $((SECONDS - began)) s"
}

clean() {
    command -v podman >/dev/null || return 0
    local image
    for image in "$dataflow" "$pipeline" "$stand_in" "$own_base"; do
        ! podman image exists "$image" || podman image rm "$image" >/dev/null || echo "$image is in use and was not removed." >&2
    done
    drop_older
    podman image prune --force --filter label=propensity.stage=build >/dev/null # the build cache
}

case ${1:-} in
base) make_base ;;
pipeline) make_pipeline ;;
dataflow) make_dataflow ;;
check) check ;;
clean) clean ;;
*) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0" >&2; exit 2 ;;
esac
