# Every target does its own set-up: a virtual environment with pinned packages, made once.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.DEFAULT_GOAL := help
.PHONY: help serve test check format docs bench soak peers fuzz clean

help:  ## Show what there is to make
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

serve: $(VENV)/.serve  ## Serve the embedded model on http://127.0.0.1:8000 (options: ARGS="--port 9000")
	@exec $(BIN)/stormproof serve $(ARGS)

test: $(VENV)/.dev  ## Run the test suite (options: ARGS="tests/errors -k wire")
	@$(BIN)/python -m pytest -n auto $(ARGS)

check: $(VENV)/.dev  ## Lint, type-check, hold the architecture, build the docs strictly
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/basedpyright --pythonpath $(BIN)/python
	@$(BIN)/lint-imports
	@$(BIN)/deptry src
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

format: $(VENV)/.dev  ## Format the code and sort its imports
	@$(BIN)/ruff check --select I --fix --quiet .
	@$(BIN)/ruff format .

docs: $(VENV)/.dev  ## Serve the documentation on http://127.0.0.1:8001
	@$(BIN)/mkdocs serve --dev-addr 127.0.0.1:8001

bench: $(VENV)/.bench  ## Run the benchmarks
	@for script in $(filter-out benchmarks/soak.py benchmarks/gateway_soak.py,$(wildcard benchmarks/[a-z]*.py)); do \
	  PYTHONPATH=tests $(BIN)/python $$script || exit 1; done

soak: $(VENV)/.bench  ## Load the engine, then the gateway, with faults, for MINUTES (60, 30)
	@$(BIN)/python benchmarks/soak.py --minutes $(or $(MINUTES),60)
	@$(BIN)/python benchmarks/gateway_soak.py --minutes $(or $(MINUTES),30)

peers: $(VENV)/.bench  ## Build what ours is measured beside, under build/peers
	@for kind in gateway reflex engine; do \
	  PYTHONPATH=benchmarks $(BIN)/python -m $${kind}_peers.install || exit 1; done

fuzz: $(VENV)/.dev  ## Send hostile requests to a real server for MINUTES (10)
	@PYTHONPATH=tests $(BIN)/python -m support.fuzzing --minutes $(or $(MINUTES),10)

clean:  ## Remove everything that was made here; downloaded models stay in the user's cache
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache site build dist

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Stormproof needs Python 3.11 or newer: make PYTHON=/path/to/python3.11")'
	@echo "Making a virtual environment in $(VENV) …"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check 'pip>=25.1'

$(VENV)/.serve: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing what serving needs, and compiling the native step (once; a minute or two) …"
	@$(PIP) --editable '.[serve,reflex]'
	@touch $@

$(VENV)/.bench: $(VENV)/.dev
	@$(PIP) --group bench
	@touch $@

$(VENV)/.dev: $(VENV)/.serve
	@echo "Installing what development needs (once) …"
	@$(PIP) --group dev
	@touch $@
