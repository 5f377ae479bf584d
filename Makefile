# `make` lists the targets. None needs an activated environment: each makes or refreshes its own.

PYTHON ?= python3
VENV ?= .venv
PORT ?= 5000
# Overrides handed to training, for example: make train ARGS="model=xgb seed=7"
ARGS ?=
SWEEP_ARGS ?= model=dummy,logreg,rf,xgb

bin := $(VENV)/bin
stamp := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help setup train sweep report compare test coverage test-slow test-faults test-all lint format type lock docs ui clean all

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  \1\t\2/' | expand -t 14

setup: $(stamp)  ## make or refresh the environment in .venv

train: $(stamp)  ## run one experiment (ARGS="model=xgb seed=7")
	$(bin)/python -m student_perf.train $(ARGS)

sweep: $(stamp)  ## run several experiments (SWEEP_ARGS="model=rf,xgb")
	$(bin)/python -m student_perf.train --multirun $(SWEEP_ARGS)

report: $(stamp)  ## show the latest finished run again
	$(bin)/python -m student_perf report

compare: $(stamp)  ## which run is best on the rows of the latest, and which tie with it
	$(bin)/python -m student_perf compare

test: $(stamp)  ## the fast tests, for every commit
	$(bin)/python -m pytest -m "not slow" -n 2

coverage: $(stamp)  ## the fast tests, and which lines they run
	$(bin)/python -m pytest -m "not slow" -n 2 --cov

test-slow: $(stamp)  ## the tests that start processes and servers
	$(bin)/python -m pytest -m "slow and not fault" -n 4

test-faults: $(stamp)  ## kills, full disks, lost servers; writes docs/reliability.md
	$(bin)/python -m pytest -m fault -n 4 --write-reliability

test-all: test test-slow test-faults  ## all tests

lint: $(stamp)  ## ruff, spelling, and the form of every file
	$(bin)/ruff check .
	$(bin)/ruff format --check .
	$(bin)/typos
	git grep -Ilz . | xargs -0 $(bin)/end-of-file-fixer
	git grep -Ilz . | xargs -0 $(bin)/trailing-whitespace-fixer
	git ls-files -z '*.yaml' '*.yml' | xargs -0 $(bin)/check-yaml
	git ls-files -z '*.toml' | xargs -0 $(bin)/check-toml

format: $(stamp)  ## mend what ruff can mend
	$(bin)/ruff check --fix .
	$(bin)/ruff format .

type: $(stamp)  ## mypy, strict
	$(bin)/mypy

lock: $(stamp)  ## pin the dependencies anew (UPGRADE=--upgrade: newer ones)
	$(bin)/uv pip compile pyproject.toml --output-file requirements.txt $(lock_options)
	$(bin)/uv pip compile --group dev --constraint requirements.txt \
	  --output-file requirements-dev.txt $(lock_options)
	$(bin)/uv pip compile --group docs --output-file requirements-docs.txt $(lock_options)

# The same versions under every Python, so that a run gives the same figures.
lock_options = --quiet --universal --python-version 3.11 --fork-strategy fewest --generate-hashes \
  --no-emit-index-url --no-emit-find-links --no-annotate --custom-compile-command "make lock" $(UPGRADE)

# The pages need an environment of their own, a small one.
docs: .venv-docs/.installed  ## the pages as a site, in the folder site; a broken link ends it
	NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build --strict --quiet
	@echo "open site/index.html; with its search: $(PYTHON) -m http.server -d site"

.venv-docs/.installed: requirements-docs.txt
	$(PYTHON) -m venv .venv-docs
	.venv-docs/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-docs.txt
	@touch $@

ui: $(stamp)  ## open MLflow's page on this machine (PORT=5000)
	$(bin)/python -m student_perf ui --port $(PORT)

clean:  ## remove the environment and caches; runs and mlflow.db stay
	rm -rf $(VENV) .venv-docs site .mypy_cache .pytest_cache .ruff_cache
	find student_perf tests benchmarks studies -name __pycache__ -type d -prune -exec rm -rf {} +

all: lint type test train  ## check everything, then run the default experiment

# The stamp is older than a changed lock or pyproject, and then the environment is refreshed.
# uv installs in seconds; if it is not available, pip does the same work. Both compile the modules, so
# that the first command starts as fast as the next.
$(stamp): requirements.txt requirements-dev.txt pyproject.toml
	@command -v $(PYTHON) > /dev/null || { \
	  echo "'$(PYTHON)' is not there: install Python 3.11 or newer, or name one: make PYTHON=/path/to/python"; exit 1; }
	@$(PYTHON) -V > /dev/null 2>&1 || { \
	  echo "'$(PYTHON)' does not start ($$($(PYTHON) -V 2>&1 | head -1)): name another: make PYTHON=/path/to/python"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "$(PYTHON) is $$($(PYTHON) -V 2>&1), but 3.11 or newer is needed: name one, for example make PYTHON=python3.12"; exit 1; }
	@test -x $(bin)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing the locked packages into $(VENV); this takes a minute or two, once"
	@$(bin)/python -m pip install --quiet --disable-pip-version-check --no-deps \
	  "uv==$$(sed -n 's/^uv==\([0-9.]*\).*/\1/p' requirements-dev.txt)" \
	  || echo "uv is not available here, going on with pip"
	@if test -x $(bin)/uv; then install="$(bin)/uv pip install --quiet --compile-bytecode --python $(bin)/python"; \
	  else install="$(bin)/python -m pip install --quiet --disable-pip-version-check"; fi; \
	  $$install -r requirements.txt -r requirements-dev.txt && $$install --no-deps --editable .
	@touch $(stamp)
