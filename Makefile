# What people and CI call; nothing has to be installed before. `make help` lists it.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup demo test check bench faults fuzz wheel lock sbom clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
TOOLS := .tools
ARGS ?=

help: ## This list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

setup: $(STAMP) ## Virtual environment, dependencies and mosquitto (demo and test call it)
	@scripts/need-mosquitto

$(STAMP): pyproject.toml
	@scripts/make-venv "$(PYTHON)" "$(VENV)"
	@touch $@

demo: setup ## Play the flood of October 2025; ONCE=1: once, with a verdict
	$(BIN)/huewatch demo $(if $(ONCE),--once) $(ARGS)

test: setup ## All tests, on up to four cores; ARGS='-k name' for some
	$(BIN)/pytest --numprocesses auto --maxprocesses 4 --dist loadfile $(ARGS)

check: $(STAMP) ## Style, formatting and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: setup ## Messages per second against the usual way; JSON=FILE writes the figures too
	$(BIN)/python -m tests.bench $(if $(JSON),--json "$(JSON)") $(ARGS)

faults: setup ## The fault tests many times over (HUEWATCH_TEST_RUNS=300 by default)
	HUEWATCH_TEST_RUNS=$${HUEWATCH_TEST_RUNS:-300} $(BIN)/pytest -m faults --timeout=0 $(ARGS)

fuzz: setup ## Fuzzing of a codec, where atheris is installed: ARGS='sparkplug-b 60'; of the feed: HTTP=600 (seconds)
	$(BIN)/python -m tests.fuzz.$(if $(HTTP),fuzz_http $(HTTP),fuzz_codecs $(ARGS))

wheel: $(STAMP) ## Build the wheel into dist/
	rm -rf build dist
	$(BIN)/pip wheel --quiet --no-deps --wheel-dir dist .

$(TOOLS):
	"$(PYTHON)" -m venv $@ && $@/bin/pip install --quiet 'uv>=0.9,<1' 'cyclonedx-bom>=7,<8'

lock: $(TOOLS) ## Write requirements.lock anew: the newest versions that pyproject.toml allows, with hashes
	$(TOOLS)/bin/uv pip compile pyproject.toml --extra embedded --universal --python-version 3.11 --upgrade \
	    --only-binary :all: --generate-hashes --quiet --custom-compile-command "make lock" -o requirements.lock

sbom: wheel $(TOOLS) ## What an image holds, as CycloneDX: dist/sbom.json
	rm -rf build/image && "$(PYTHON)" -m venv build/image
	build/image/bin/pip install --quiet --require-hashes --only-binary :all: -r requirements.lock
	build/image/bin/pip install --quiet --no-deps --no-index dist/*.whl
	$(TOOLS)/bin/cyclonedx-py environment build/image/bin/python --output-format JSON -o dist/sbom.json

clean: ## Remove what make has made, the environment too
	rm -rf $(VENV) $(TOOLS) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
