# The only way in, for people and for CI alike. `make help` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
WORKERS ?= auto

.PHONY: help setup demo test check lint types imports format golden lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(STAMP): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "reconciler needs Python 3.11 or newer; $$($(PYTHON) --version) was found. Try: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "Setting up $(VENV) (once, from requirements/dev.txt, hashes checked) ..."
	@if [ -e $(STAMP) ]; then :; else rm -rf $(VENV); fi
	@$(PYTHON) -m venv $(VENV) || { echo "could not make $(VENV): on Debian and Ubuntu install python3-venv, then try again" >&2; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

setup: $(STAMP) ## install everything into .venv, from the locked dependencies

demo: $(STAMP) ## the whole story on the simulator, over real HTTP on 127.0.0.1
	$(BIN)/reconciler demo

test: $(STAMP) ## the tests, with branch coverage
	$(BIN)/python -m pytest -n $(WORKERS) --cov --cov-report=term:skip-covered

check: lint types imports ## everything that reads the code without running it

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

imports: $(STAMP)
	$(BIN)/lint-imports

format: $(STAMP) ## let ruff lay out the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

golden: $(STAMP) ## write the golden files anew; then read the difference
	RECONCILER_REWRITE_GOLDEN=1 $(BIN)/python -m pytest -q tests/render
	git diff --stat -- tests/golden

lock: $(STAMP) ## solve the dependencies anew and write both lock files
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-annotate -o requirements/run.txt pyproject.toml
	$(BIN)/uv pip compile --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --group dev -o requirements/dev.txt pyproject.toml

clean: ## remove everything that was built
	rm -rf $(VENV) dist build .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache .hypothesis demo-work
