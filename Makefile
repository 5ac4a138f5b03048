# Everything a person needs: `make demo` shows it, `make test` proves it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
SEEDS ?= 20
EVENTS ?= 5000

# Many short processes run the same modules: they are compiled once, whatever the surroundings say.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test check soak format docs lock clean

help: ## say what there is
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16

demo: $(READY) ## a video in, searchable objects out: everything at work on this machine
	@$(BIN)/nvr-streams demo

test: check ## all checks and all tests, with the real broker and registry
	$(BIN)/pytest -q -m integration

check: $(READY) ## format, lint, types, layers, dependencies and the fast tests (no services)
	$(BIN)/ruff format --check -q .
	$(BIN)/ruff check -q .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/deptry .
	$(BIN)/pytest -q -n 3 -m "not integration"

soak: $(READY) ## kill workers and broker at random, compare what is left (SEEDS=20 EVENTS=5000)
	@$(BIN)/python -m tests.soak --seeds $(SEEDS) --events $(EVENTS)

format: $(READY) ## put the code into shape
	$(BIN)/ruff check -q --fix .
	$(BIN)/ruff format -q .

docs: $(READY) ## write the generated parts of the README anew
	$(BIN)/python -m streams.cli.documentation README.md

lock: $(READY) ## resolve the dependencies anew into requirements.txt
	$(BIN)/uv pip compile -q --extra dev --extra rocksdb --no-header --no-annotate --no-emit-index-url --upgrade pyproject.toml -o requirements.txt

clean: ## remove what was made here: environment, services, data
	@if [ -x $(BIN)/nvr-streams ]; then $(BIN)/nvr-streams local wipe --yes; fi
	rm -rf $(VENV) var build dist

# The lock names uv too: pip fetches it, and it fetches the rest many times faster.
$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed (PYTHON=…)"; exit 1; }
	@echo "making the environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -q --disable-pip-version-check "$$(grep '^uv==' requirements.txt)"
	@$(BIN)/uv pip sync -q --python $(BIN)/python requirements.txt
	@$(BIN)/uv pip install -q --python $(BIN)/python --no-deps -e .
	@touch $@
