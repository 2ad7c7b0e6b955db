# `make` lists the targets. Everything happens in .venv, which the first target that needs it creates.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	"$$p" -c 'import sys; sys.exit(not sys.version_info >= (3, 11))' 2>/dev/null && { command -v $$p; break; }; done)
# Without a GPU the CPU build of torch is enough, and a plain `pip install torch` may bring several GB of CUDA.
TORCH ?= $(shell command -v nvidia-smi >/dev/null 2>&1 && echo 'torch>=2.11' || echo 'torch==2.13.0')
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help install demo test check bench docs format clean

help:  ## List the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

install: .venv/installed  ## Create .venv and install mien into it

.venv/installed: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "mien needs Python 3.11 or newer; set PYTHON=/path/to/python3" >&2; exit 1; }
	@echo "Installing into .venv with $(PYTHON) (a few minutes the first time)"
	test -x $(BIN)/python || "$(PYTHON)" -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check '$(TORCH)'
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: install  ## From videos with subtitles to a probed emotion representation, in minutes (runs/demo/report.html)
	PATH="$(CURDIR)/$(BIN):$$PATH" bash scripts/demo.sh

test: install  ## All checks and tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n 2

check: install  ## Format, lint, types and the fast tests (two to three minutes)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n 2 -m "not slow" -q

bench: install  ## The performance table: targets and what is measured here (minutes)
	$(BIN)/python bench/table.py

docs: install  ## The docs site in docs/_build/html; warnings are errors (a minute)
	$(BIN)/sphinx-build --builder html --fail-on-warning --keep-going --quiet docs docs/_build/html
	@echo docs/_build/html/index.html

format: install  ## Format the code and mend what lint can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:  ## Remove .venv and caches (runs/ stays)
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache docs/_build docs/reference
