# Everything from nothing but git, make and python3 (3.11 or newer).
# Without a GPU:  PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu make demo   (a much smaller torch)

PYTHON ?= python3
BIN := .venv/bin

# Tests marked `data` read the data from here; without it they are skipped.
ifneq ($(wildcard ../shared/data/.),)
export PARAISITE_MIRROR ?= $(abspath ../shared/data)
endif

# make fuzz SECONDS=600 JOBS=2 FUZZ="cif poscar --record"
SECONDS ?= 60
JOBS ?= 1

# neighbours stay together, so that what the tests of a file share is made once
PYTEST_OPTIONS := -n 2 --dist worksteal -q
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(PYTEST_OPTIONS)

.DEFAULT_GOAL := help
.PHONY: help demo phonons page test test-slow test-all coverage lint format types check docs fuzz bench clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 18

demo: .venv/.core ## predict the example crystals with the shipped model
	@$(BIN)/paraisite demo

phonons: .venv/.phonons ## what `paraisite verify` needs: phono3py and the potentials nequix (on the CPU) and TensorNet

page: ## the page of `paraisite serve` from its sources in page/ (needs npm); what it builds is committed
	npm --prefix page ci --ignore-scripts
	npm --prefix page run build

test: .venv/.dev ## the tests that are done within minutes (two at a time, one thread each)
	$(PYTEST) -m "not slow"

test-slow: .venv/.dev ## the others: killed and interrupted runs, Ray, whole phonon calculations, the wheel
	$(PYTEST) -m slow

test-all: .venv/.dev ## both
	$(PYTEST)

coverage: .venv/.dev ## the share of lines that all tests run, and which they do not, in htmlcov/
	$(BIN)/coverage erase
	OMP_NUM_THREADS=1 $(BIN)/coverage run -m pytest $(PYTEST_OPTIONS)
	$(BIN)/coverage combine -q
	$(BIN)/coverage html -q
	$(BIN)/coverage report

lint: .venv/.dev ## ruff: rules and format; import-linter: order of the rooms; codespell
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/codespell

format: .venv/.dev ## let ruff repair what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: .venv/.dev ## mypy
	$(BIN)/mypy

check: .venv/.dev ## README and results/ say the same numbers
	$(BIN)/python tools/check_readme.py

docs: .venv/.dev ## the pages as a site in build/site, links checked
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

fuzz: .venv/.dev ## mutated inputs to every reader, SECONDS=60 for each, JOBS=1 at a time (Linux)
	@$(BIN)/python -m fuzz.run --seconds $(SECONDS) --jobs $(JOBS) $(FUZZ)

bench: .venv/.dev ## the benchmarks of speed, one after another
	@set -e; for script in $(filter-out benchmarks/verify_% benchmarks/phono3py_%,$(wildcard benchmarks/*.py)); do \
		echo "== $$script"; $(BIN)/python "$$script"; done

clean: ## remove the environment, builds and caches
	rm -rf .venv build dist src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

# The stamps are rebuilt when what they install changes.
.venv/.core: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "ParAIsite needs Python 3.11 or newer; this is %s. Name another one: make PYTHON=python3.12 ..." % sys.version.split()[0])'
	@echo 'Building .venv (a few minutes the first time)'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -qq -c constraints.txt -e .
	@touch $@

# nequix asks for CUDA builds of jax and for wandb, matgl for what only its training needs: so without their dependencies.
.venv/.phonons: .venv/.core constraints-phonons.txt
	$(BIN)/python -m pip install -qq -c constraints.txt -c constraints-phonons.txt -e '.[phonons]' \
		jax equinox e3nn-jax jraph matscipy torch-geometric lightning huggingface_hub
	$(BIN)/python -m pip install -qq -c constraints-phonons.txt --no-deps nequix matgl
	@touch $@

.venv/.dev: .venv/.core
	$(BIN)/python -m pip install -qq -c constraints.txt -e '.[dev]'
	@touch $@
