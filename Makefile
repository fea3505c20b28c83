# Every target sets up what it needs: a virtual environment in .venv and the package in it.
PYTHON ?= python3
VENV   ?= .venv
BIN     = $(VENV)/bin
OUT    ?= remission-demo
TORCH  ?= 2.13.0

.PHONY: demo demo-deep test test-slow lint bench docs clean

demo: $(VENV)/.core
	$(BIN)/remission demo -o $(OUT) --workers 2

demo-deep: $(VENV)/.deep
	$(BIN)/remission demo --deep -o $(OUT)-deep --workers 2

test: $(VENV)/.dev
	$(BIN)/python -m pytest -m "not slow"

test-slow: $(VENV)/.dev
	$(BIN)/python -m pytest -m slow

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(VENV)/.dev
	$(BIN)/pip install --quiet -e '.[bench]'
	$(BIN)/python -m benchmarks

docs: $(VENV)/.dev
	$(BIN)/python docs/reference.py

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "remission needs Python 3.11 or newer; try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.core: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

# PyTorch comes first and pinned: left to itself, the resolver takes the newest build for GPUs, which weighs gigabytes.
$(VENV)/.deep: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check torch==$(TORCH)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[deep]'
	@touch $@ $(VENV)/.core

$(VENV)/.dev: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check torch==$(TORCH)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev,deep,hf,c2pa,archive,datatrove]'
	@touch $@ $(VENV)/.core $(VENV)/.deep

clean:
	rm -rf $(VENV) $(OUT)
