# Every target sets up what it needs; a repeated run finds the stamp and starts at once.
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.PHONY: help setup demo up test test-slow mutate check bench fuzz interop peers lock clean

BIN := .venv/bin
# Most tests wait for processes of their own: one test process more than cores keeps the cores busy.
WORKERS ?= 3
READY := .venv/.ready
TRANSLATIONS := $(wildcard src/bahal/locale/*/LC_MESSAGES/*.po)

help:
	@echo "make demo [ARGS=...]   live the Monday: ten thousand meters, 796 cut, 260 paid and lit"
	@echo "make up                start a rehearsal with its people and stay; bahal up without them"
	@echo "make test [ARGS=...]   all tests but the slow ones; make test-slow for those"
	@echo "make check             lint, types, import rules"
	@echo "make bench NAME=...    one performance claim with its reference"
	@echo "make fuzz NAME=... [SECONDS=1800]   one decoder of the meters' protocol, with coverage"
	@echo "make mutate [NAME=eligibility|caps|fence|derivation]   change the rules of a cut, and see which tests notice"
	@echo "make interop           who understands whom: our client and meters with those that others wrote"
	@echo "make setup | peers | lock | clean"

setup: $(READY)

# Looks for an interpreter that runs, not for a file with the right name: a version switcher's shim may stand in PATH.
$(READY): requirements.lock pyproject.toml tools/prepare.py $(TRANSLATIONS)
	@for python in python3.11 python3 python3.14 python3.13 python3.12; do \
	  if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then exec $$python tools/prepare.py; fi; \
	done; echo "Bahal needs Python 3.11 or newer: install python3 and python3-venv and run make again." >&2; exit 3

demo: $(READY)
	@$(BIN)/bahal demo $(ARGS)

up: $(READY)
	@$(BIN)/bahal up --demo --morning $(ARGS)

test: $(READY)
	@$(BIN)/python -m pytest -m "not slow" -n $(WORKERS) --dist loadfile $(ARGS)

test-slow: $(READY)
	@$(BIN)/python -m pytest -m slow $(ARGS)

check: $(READY)
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/mypy

bench: $(READY)
	@test -n "$(NAME)" || { echo "Say which: make bench NAME=session" >&2; exit 2; }
	@$(BIN)/python -m bench.$(subst -,_,$(NAME)) $(ARGS)

fuzz: $(READY)
	@test -n "$(NAME)" || { echo "Say which: make fuzz NAME=axdr" >&2; exit 2; }
	@$(BIN)/python tools/fuzz.py $(NAME) $(or $(SECONDS),1800)

# Changes a copy; what survives is printed. Not part of the tests.
mutate: $(READY)
	@$(BIN)/python tools/mutate.py $(NAME) $(ARGS)

interop: peers
	@$(BIN)/python -m interop $(ARGS)

# Independent implementations of the meters' protocol, each in an environment of its own, for tests and benches only.
peers: $(READY)
	@$(BIN)/python tools/peers.py

# The same resolution for every machine and Python from 3.11: hashes, and no addresses.
lock: $(READY)
	@$(BIN)/uv pip compile pyproject.toml --extra dev --universal --generate-hashes --no-emit-index-url --no-cache \
	  --python-version 3.11 --custom-compile-command 'make lock' --quiet -o requirements.lock

clean:
	@rm -rf .venv .venv.lock .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache dist
	@find src tests bench tools -name __pycache__ -type d -prune -exec rm -rf {} +
	@rm -f src/bahal/locale/*/LC_MESSAGES/*.mo
