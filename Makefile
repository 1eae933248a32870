# make run    runs the whole pipeline on sample data; it installs what a fresh machine lacks
# make test   runs the tests
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

ENV ?= .venv
PYTHON := $(ENV)/bin/python
READY := $(ENV)/.ready

DATASET ?= ga4
DATA ?=
OUTPUT ?=
SETTINGS ?= runners/local.yaml
VERTEX_SETTINGS ?= runners/vertex.yaml
REASON ?=
PIPELINE ?= training
ARGS ?=
TESTS ?= tests
WORKERS ?= 2
ROWS ?= 200000
LABEL ?=
KEY ?=
DATE ?=
POSITIVE ?=
ENCODING ?=
UPDATE ?=
AS_OF ?=
FROM ?=
TO ?=
REPLACE ?=
EXPORT ?=
export EXPORT DATA OUTPUT REASON LABEL KEY DATE POSITIVE ENCODING

.PHONY: help run score init schema rollback sample vertex-compile image vertex-local emulator test benchmark benchmark-scoring docs lint lock clean

help: ## List the targets.
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24
	@echo
	@echo '  Variables: DATASET=ga4 DATA=folder-or-file OUTPUT=folder SETTINGS=runners/local.yaml VERBOSE=1'

$(READY): requirements.txt tools/environment.sh
	@bash tools/environment.sh $(ENV)
	@touch $@

run: $(READY) ## Run the pipeline (on sample data, unless DATASET= and DATA= name yours).
	@$(PYTHON) -m runners.local_runner --dataset $(DATASET) --settings $(SETTINGS) \
	    $(if $(DATA),--data "$$DATA") $(if $(OUTPUT),--output "$$OUTPUT") $(if $(VERBOSE),--verbose) $(ARGS)

score: $(READY) ## Score everybody with the champion (AS_OF= a day; FROM= TO= back-fill; REPLACE=1; EXPORT=scores.csv).
	@$(PYTHON) -m runners.score --dataset $(DATASET) --settings $(SETTINGS) \
	    $(if $(DATA),--data "$$DATA") $(if $(OUTPUT),--output "$$OUTPUT") $(if $(AS_OF),--as-of "$(AS_OF)") \
	    $(if $(FROM),--from "$(FROM)") $(if $(TO),--to "$(TO)") $(if $(REPLACE),--replace) \
	    $(if $(EXPORT),--export "$$EXPORT") $(if $(VERBOSE),--verbose) $(ARGS)

init: $(READY) ## Make schema/<DATASET>/ for the table DATA= (LABEL= POSITIVE= KEY= DATE= ENCODING= decide; UPDATE=1 compares).
	@$(PYTHON) -m runners.init --dataset "$(if $(filter file,$(origin DATASET)),,$(DATASET))" --settings "$(SETTINGS)" $(if $(DATA),--data "$$DATA") \
	    $(if $(LABEL),--label "$$LABEL") $(if $(POSITIVE),--positive "$$POSITIVE") $(if $(KEY),--key "$$KEY") \
	    $(if $(DATE),--date "$$DATE") $(if $(ENCODING),--encoding "$$ENCODING") $(if $(UPDATE),--update) $(if $(OUTPUT),--output "$$OUTPUT") $(ARGS)

schema: $(READY) ## Write schema/<DATASET>/schema.pbtxt for the features of features.yaml, and show what changes.
	@$(PYTHON) -m pipeline.raw_schema $(DATASET)

rollback: $(READY) ## Make the previous champion the champion again (DATASET=ga4 REASON='why').
	@$(PYTHON) -m runners.rollback --dataset $(DATASET) --settings $(SETTINGS) --reason "$$REASON" \
	    $(if $(OUTPUT),--output "$$OUTPUT") $(if $(VERBOSE),--verbose) $(ARGS)

sample: $(READY) ## Make the sample events (make run does so if they are missing).
	@$(PYTHON) -m pipeline.sample --out data/sample $(ARGS)

vertex-compile: $(READY) ## Compile for Vertex AI (PIPELINE=scoring; DATASET=ga4 VERTEX_SETTINGS=runners/vertex.yaml).
	@$(PYTHON) -m runners.vertex_runner --pipeline $(PIPELINE) --dataset $(DATASET) --settings $(VERTEX_SETTINGS) \
	    $(if $(OUTPUT),--output "$$OUTPUT") $(if $(VERBOSE),--verbose) $(ARGS)

image: ## Build and check the images of Vertex AI's steps and Dataflow's workers, with podman.
	@bash tools/images/build.sh dataflow
	@bash tools/images/build.sh check

vertex-local: ## Run the compiled job in containers on this machine, and compare it with BeamDagRunner.
	@python3 -m tools.vertex_local $(ARGS)

emulator: $(READY) ## Make the BigQuery emulator's environment; then make test runs its tests too.
	@bash tests/emulator/environment.sh

test: $(READY) ## Run the tests.
	@$(PYTHON) -m pytest --numprocesses $(WORKERS) --dist loadfile $(TESTS) $(ARGS)

benchmark: $(READY) ## Compare the speed with stock TFX and the raw floor (ROWS=200000; a million takes half an hour).
	@$(PYTHON) -m benchmarks.speed --rows $(ROWS) $(ARGS)

benchmark-scoring: $(READY) ## Compare the speed of scoring with stock BulkInferrer and the raw floor (ROWS=200000).
	@$(PYTHON) -m benchmarks.scoring --rows $(ROWS) $(ARGS)

docs: $(READY) ## Write docs/settings.md from the settings classes.
	@$(PYTHON) -m tools.settings_page

lint: $(READY) ## Check format and style.
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m ruff check .

lock: $(READY) ## Resolve setup.py into the hash-pinned requirements.txt, for every supported Python.
	@UV_SYSTEM_CERTS=1 .build/uv/bin/uv pip compile setup.py --extra dev --universal --python-version 3.10 --generate-hashes \
	    --no-header --no-annotate --quiet --output-file requirements.txt

clean: ## Delete the environment, the sample and all output.
	rm -rf $(ENV) .build data output
