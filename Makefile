# The only way in, for people and for CI alike. `make help` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
RUN    := $(VENV)-run
WORKERS ?= auto
CONTAINERS ?= docker

# Every target that help lists.
.PHONY: $(shell sed -nE 's/^([a-z0-9-]+):.*##.*/\1/p' $(firstword $(MAKEFILE_LIST)))

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(STAMP): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "reconciler needs Python 3.11 or newer; $$($(PYTHON) --version) was found. Try: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "Setting up $(VENV) (once, from requirements/dev.txt, hashes checked) ..."
	@if [ -e $(STAMP) ]; then :; else rm -rf $(VENV); fi
	@$(PYTHON) -m venv $(VENV) || { echo "could not make $(VENV): on Debian and Ubuntu install python3-venv, then try again" >&2; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m compileall -q reconciler
	@touch $@

setup: $(STAMP) ## install everything into .venv, from the locked dependencies

$(VENV)/.tool: requirements/run.txt
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/run.txt
	@touch $@

tool: $(VENV)/.tool ## what the program needs to run and no more; then use .ci/reconciler, as the workflows do

$(VENV)/.notify: requirements/notify.txt $(VENV)/.tool
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/notify.txt
	@touch $@

notify: $(VENV)/.notify ## beside `make tool`: what sends messages to people; .ci/notify calls it where there are any to be told

demo: $(STAMP) ## the whole story on the simulator, over real HTTP on 127.0.0.1
	$(BIN)/reconciler demo

# What decides about money: every line and every branch of it has a test that goes there.
PROVED := reconciler/names.py,reconciler/moments.py,reconciler/apply.py,reconciler/plan.py,reconciler/run.py,reconciler/planning/*,reconciler/safety/*,reconciler/writing/*,reconciler/http/*,reconciler/providers/*,reconciler/state/*

test: $(STAMP) ## the tests; under ten minutes on two cores
	$(BIN)/python -m pytest -n $(WORKERS)

# What runs on any system: no bash, no POSIX. CI runs it on Windows and macOS, and the two targets below.
unit: $(STAMP) ## the tests of single modules, as tests/unit.txt lists them; a minute or two
	$(BIN)/python -m pytest -n $(WORKERS) @tests/unit.txt

lowest: ## those with the lowest releases that pyproject.toml permits, on $(PYTHON)
	WORKERS=$(WORKERS) PYTHON=$(PYTHON) .ci/unit lowest @tests/unit.txt tests/cli/test_main.py tests/cli/test_plan.py tests/cli/test_surface.py tests/state

httpx2: ## those, and the forges', with httpx2 in the place of httpx
	WORKERS=$(WORKERS) PYTHON=$(PYTHON) .ci/unit httpx2 @tests/unit.txt tests/forge tests/faults

coverage: $(STAMP) ## the tests again, measured: is every branch of what decides about money covered?
	$(BIN)/python -m pytest -n $(WORKERS) --cov --cov-report=
	$(BIN)/coverage report --include='$(PROVED)' --skip-covered --fail-under=100

check: lint types imports dependencies workflows ## everything that reads the code without running it

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

imports: $(STAMP)
	$(BIN)/lint-imports

dependencies: $(STAMP)
	$(BIN)/deptry reconciler
	$(BIN)/deptry tests benchmarks --exclude golden --ignore DEP002,DEP004

workflows: $(STAMP)
	$(BIN)/zizmor --offline --pedantic --quiet .github
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-issue-forms .github/ISSUE_TEMPLATE/halopsa.yml
	$(BIN)/hadolint Containerfile
	$(BIN)/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml reconciler/templates/files/dependabot.yml

audit: $(STAMP) ## known weaknesses of the locked dependencies; asks the network
	$(BIN)/pip-audit --strict --disable-pip --require-hashes -r requirements/notify.txt

dist: $(STAMP) ## build sdist and wheel into dist/, the same bytes each time; no tests
	.ci/dist dist

newcomer: dist ## README's install and practice steps to the letter, in a fresh home, until "No changes."; how long each takes
	$(BIN)/python -m tests.newcomer dist/*.whl

# WHEEL=FILE and SDIST=FILE test what was built before, as the release does.
wheel: $(if $(WHEEL),$(STAMP),dist) ## run the tests against the wheel, where the source tree is not (PYTEST='tests/cli' for a part)
	WORKERS=$(WORKERS) .ci/wheel $(or $(WHEEL),dist/*.whl) $(PYTEST)

sdist: $(if $(SDIST),$(STAMP),dist) ## run the tests that the sdist holds, where it is unpacked
	WORKERS=$(WORKERS) .ci/sdist $(or $(SDIST),dist/*.tar.gz) $(PYTEST)

sbom: $(STAMP) ## what the program is made of, as requirements/run.txt has it: a CycloneDX document in dist/
	VENV=$(VENV) .ci/sbom dist

container: dist ## build the container (docs/container.md); CONTAINERS=podman for another builder
	$(CONTAINERS) build --file Containerfile --tag halo-infima-reconciler .

format: $(STAMP) ## let ruff lay out the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

schema: $(STAMP) ## write the schemas of a plan and of a probe's report anew from their types
	$(BIN)/python -m tests.plan_schema

golden: $(STAMP) ## write the golden files anew; then read the difference
	RECONCILER_REWRITE_GOLDEN=1 $(BIN)/python -m pytest -q tests/render tests/test_readme.py tests/cli/test_commands_doc.py || true
	git diff --stat -- tests/golden

pictures: $(STAMP) ## draw the README's pictures anew from real output; the report's needs Chromium
	$(BIN)/python -m tests.pictures docs/images

axe: $(STAMP) ## axe-core over the HTML pages, light and dark, 390 and 1440 px; needs Chromium (Debian: chromium)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --upgrade --target build/axe -r requirements/axe.txt
	$(BIN)/python -m pytest -q tests/render/test_axe.py tests/render/test_html_browser.py

# Measured where only what a run needs is installed, as users have it.
bench: ## measure everything beside the limit and write docs/performance.md; takes half an hour
	@$(MAKE) --no-print-directory tool VENV=$(RUN)
	$(RUN)/bin/python -m benchmarks.bench

compare: $(STAMP) ## Terraform, octoDNS and plain scripts at the same job; what this machine lacks is left out (COMPARE='--rounds 3')
	$(BIN)/python -m benchmarks.compare $(COMPARE)

bench-quick: ## exact request counts, and ratios held against twice the last full run's; under two minutes
	@$(MAKE) --no-print-directory tool VENV=$(RUN)
	$(RUN)/bin/python -m benchmarks.bench --quick

# One of the tools wants Python 3.13; with an older one it is left out. npm is used where it is.
INTEROP := .venv-interop
INTEROP_PYTHON ?= $(shell python3.13 -c 'print("python3.13")' 2>/dev/null || echo $(PYTHON))

$(INTEROP)/.installed: requirements/interop.txt tests/interop/package-lock.json
	@echo "Setting up $(INTEROP): other people's tools, a few minutes ..."
	@rm -rf $(INTEROP)
	@$(INTEROP_PYTHON) -m venv $(INTEROP)
	@$(INTEROP)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/interop.txt
	@if command -v npm > /dev/null; then mkdir $(INTEROP)/npm && cp tests/interop/package*.json $(INTEROP)/npm/ && npm ci --silent --ignore-scripts --prefix $(INTEROP)/npm; fi
	@touch $@

interop: $(STAMP) $(INTEROP)/.installed ## other people's tools on our output: policies, counts, patches, schemas, hooks (INTEROP_WRITE=--write for the page)
	$(BIN)/python -m tests.interop $(INTEROP) $(INTEROP_WRITE)

LOCK = $(BIN)/uv pip compile --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-annotate
lock: $(STAMP) ## solve the dependencies anew and write the lock files
	$(BIN)/python -m pip install --quiet uv
	$(LOCK) -o requirements/run.txt pyproject.toml
	$(LOCK) --extra notify -o requirements/notify.txt pyproject.toml
	$(LOCK) --group dev -o requirements/dev.txt pyproject.toml
	$(LOCK) --group interop -o requirements/interop.txt
	$(LOCK) --group httpx2 -o requirements/httpx2.txt
	$(LOCK) --group sbom -o requirements/sbom.txt
	$(LOCK) --resolution lowest-direct --extra match --extra notify --group test -o requirements/lowest.txt pyproject.toml

mutation: $(STAMP) ## does a test fail for each small wrong change to the core? (a quarter of an hour; SAMPLE=40 for a part)
	$(BIN)/python -m tests.mutation $(if $(SAMPLE),--sample $(SAMPLE)) --json mutation.json

torture: $(STAMP) ## faults, crashes, races, planted bugs: every figure of docs/reliability.md (under an hour on two cores)
	$(BIN)/python -m tests.torture.campaign --json torture.json $(TORTURE)

clean: ## remove everything that was built
	rm -rf $(VENV) $(VENV)-sbom $(RUN) $(INTEROP) .venv-lowest .venv-httpx2 dist build .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache .hypothesis demo-work
