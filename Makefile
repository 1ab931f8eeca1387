# `make repro` and `make test` need Python >= 3.11 and make; everything else they install into .venv once.

# Byte code makes imports three times faster.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# JAX comes with a list of its own, which leaves TensorFlow out.
JAX := $(filter jax,$(KERAS_BACKEND))
REQUIREMENTS := requirements$(JAX:%=-%).txt
READY := $(VENV)/.ready$(JAX:%=-%)
export PATH := $(CURDIR)/$(BIN):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help repro test lint docs wheel ui dashboard clean

help: ## Show this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

$(READY): $(REQUIREMENTS) pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "frostline needs Python 3.11 or newer, but $(PYTHON) is " + sys.version.split()[0] + ": make PYTHON=python3.12 repro")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement $(REQUIREMENTS)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

repro: $(READY) ## Run the whole pipeline and show what it found
	@# DVC looks for git unless it is told not to: a source archive has none (check-ignore gives 1 where git tracks).
	@git check-ignore -q dvc.yaml 2>/dev/null; [ $$? -eq 1 ] || grep -qs no_scm .dvc/config.local || $(BIN)/dvc config --local core.no_scm true
	$(BIN)/dvc repro
	@$(BIN)/frostline summary

test: $(READY) ## Run the test suite, in two processes
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

lint: $(READY) ## Check style, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(READY) ## Build the documentation into site/, strictly
	$(BIN)/mkdocs build --strict

wheel: $(READY) ## Build the wheel that pip installs elsewhere, into dist/
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .

ui: $(READY) ## Open the MLflow UI on the default store
	$(BIN)/mlflow ui --backend-store-uri sqlite:///mlruns/mlflow.db

dashboard: $(READY) ## Open the Optuna dashboard on the default studies
	$(BIN)/optuna-dashboard sqlite:///mlruns/optuna.db

clean: ## Remove what the pipeline made: data, models, results, runs, studies, caches (DVC's too)
	rm -rf data models results reports .cache .dvc/cache dvc.lock
	find mlruns -mindepth 1 ! -name .gitkeep -delete
