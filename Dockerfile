# The image of every step on Vertex AI (target `pipeline`), and from it Dataflow's SDK container (target `dataflow`).
#
#   docker build --target pipeline --tag REGION-docker.pkg.dev/PROJECT/REPOSITORY/pipeline:TAG .
#   docker build --target dataflow --tag REGION-docker.pkg.dev/PROJECT/REPOSITORY/dataflow:TAG .
#
# tools/images/build.sh builds both with podman, without a Docker engine or a public image.
ARG PYTHON_VERSION=3.13
ARG TFX_VERSION=1.21.0
ARG BEAM_VERSION=2.77.0
ARG BASE_IMAGE=docker.io/library/python:${PYTHON_VERSION}-slim-trixie
ARG BEAM_IMAGE=docker.io/apache/beam_python${PYTHON_VERSION}_sdk:${BEAM_VERSION}

# ---- tools, and wheels of packages without one for this Python; the images contain nothing of this stage --------------
FROM ${BASE_IMAGE} AS build
LABEL propensity.stage=build
RUN apt-get update && apt-get install --yes --no-install-recommends g++ && rm -rf /var/lib/apt/lists/*
# Optional settings of the package index; see tools/images/build.sh.
ARG PIP_CONFIG_FILE
ARG UV_CONFIG_FILE
ARG UV_SYSTEM_CERTS=1
ARG UV_NO_CACHE=1
WORKDIR /build
COPY requirements.txt setup.py ./
RUN pinned() { sed -n "/^\($1\)==/,/[^\\\\]\$/p" requirements.txt; } \
    && python -m venv tools \
    && pinned 'setuptools\|uv' >tools.txt \
    && tools/bin/pip install --quiet --no-cache-dir --require-hashes -r tools.txt \
    && pinned 'pyfarmhash\|rouge-score' >compiled.txt \
    && tools/bin/pip wheel --quiet --no-cache-dir --no-deps --no-build-isolation --require-hashes \
        --wheel-dir wheels -r compiled.txt \
    # The packages of requirements.txt that setup.py needs at run time, without those for development.
    && tools/bin/uv pip compile --quiet --no-header --no-annotate --constraint requirements.txt \
        --build-constraints requirements.txt --output-file runtime.txt setup.py

# ---- the project's code, as the wheel that setup.py builds -----------------------------------------------------------
FROM build AS code
COPY . source
RUN tools/bin/pip wheel --quiet --no-cache-dir --no-deps --no-build-isolation --wheel-dir dist ./source \
    && tools/bin/uv pip install --quiet --no-deps --compile-bytecode --target site dist/*.whl

# ---- every step of the pipeline --------------------------------------------------------------------------------------
FROM ${BASE_IMAGE} AS pipeline
ARG PYTHON_VERSION
ARG TFX_VERSION
ARG BEAM_VERSION
ARG UV_CONFIG_FILE
ARG UV_SYSTEM_CERTS=1
ARG UV_NO_CACHE=1
RUN useradd --create-home --uid 1000 pipeline
COPY --from=build /build/requirements.txt /build/runtime.txt /opt/requirements/
RUN --mount=type=bind,from=build,source=/build,target=/build \
    python -m venv /opt/venv \
    && install="/build/tools/bin/uv pip install --quiet --no-deps --compile-bytecode --python /opt/venv/bin/python" \
    && grep -v '^pyfarmhash==\|^rouge-score==' /opt/requirements/runtime.txt >/tmp/runtime.txt \
    && $install --no-build --require-hashes --constraint /opt/requirements/requirements.txt -r /tmp/runtime.txt \
    && $install --no-index /build/wheels/*.whl \
    && rm /tmp/runtime.txt \
    # 0.4 GB of C++ headers, which only the compilation of TensorFlow ops needs.
    && rm -r /opt/venv/lib/python${PYTHON_VERSION}/site-packages/tensorflow/include \
    && /opt/venv/bin/python -m pip check \
    && /opt/venv/bin/python -c "import importlib.metadata as packages, sys; \
        found = '%d.%d' % sys.version_info[:2], packages.version('tfx'), packages.version('apache-beam'); \
        expected = '${PYTHON_VERSION}', '${TFX_VERSION}', '${BEAM_VERSION}'; \
        assert found == expected, f'this image has {found}, its labels say {expected}'"
ENV PATH=/opt/venv/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONUNBUFFERED=1 \
    OMP_WAIT_POLICY=PASSIVE
COPY --from=code /build/site/ /opt/venv/lib/python${PYTHON_VERSION}/site-packages/
USER 1000
WORKDIR /home/pipeline
CMD ["python"]
ARG BASE_IMAGE
ARG REVISION=unknown
LABEL org.opencontainers.image.title="propensity-pipeline" \
    org.opencontainers.image.revision="${REVISION}" \
    org.opencontainers.image.base.name="${BASE_IMAGE}" \
    propensity.python="${PYTHON_VERSION}" \
    propensity.tfx="${TFX_VERSION}" \
    propensity.apache-beam="${BEAM_VERSION}"

# ---- Dataflow's SDK container: the same environment, started by Beam's boot, which no wheel contains ------------------
FROM ${BEAM_IMAGE} AS beam

FROM pipeline AS dataflow
COPY --from=beam /opt/apache/beam /opt/apache/beam
ENV RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT=1
# boot writes to folders that Dataflow mounts and that root owns.
USER root
ARG BEAM_IMAGE
LABEL org.opencontainers.image.title="propensity-dataflow" \
    propensity.beam-image="${BEAM_IMAGE}"
ENTRYPOINT ["/opt/apache/beam/boot"]
