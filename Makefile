# Every target sets up what it needs; `make demo` and `make test` work on a fresh machine.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

PYTHON := .venv/bin/python
SUITES := vault chain bft browser fault

.PHONY: help setup setup-demo demo test test-fault-long check bench fmt lint types imports lock doctor vaultd \
	$(addprefix test-,$(SUITES))

help: ## Show this list
	@grep -hE '^[a-z%-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 18
	@echo "test-NAME         Run one suite: $(SUITES)"

setup: ## Install everything for tests and development into .venv
	@scripts/setup.sh dev

setup-demo:
	@scripts/setup.sh demo

demo: setup-demo ## Play the story on this machine; Ctrl-C stops everything
	@exec $(PYTHON) -m config.local.demo

test: setup ## Lint, types, import rules and every suite
	@scripts/test.sh all

check: setup ## The quick part of `make test`, under three minutes
	@scripts/test.sh quick

$(addprefix test-,$(SUITES)): test-%: setup
	@scripts/test.sh suite $*

test-fault-long: setup ## 10,000 faults at named points and 200 killed processes; an hour
	@scripts/faults.sh

bench: setup ## Measure streams, reads, ingest and erasures
	@scripts/bench.sh

fmt: setup ## Format the code and mend what ruff can mend
	@$(PYTHON) -m ruff format .
	@$(PYTHON) -m ruff check --fix .

lint: setup ## ruff: all rules, and the format
	@scripts/test.sh lint

types: setup ## mypy, strict
	@scripts/test.sh types

imports: setup ## Rules on who may import whom
	@scripts/test.sh imports

lock: setup ## Pin requirements/*.txt anew, with hashes
	@scripts/lock.sh

doctor: setup-demo ## Say what is wrong with this installation, and how to mend it
	@$(PYTHON) manage.py doctor

vaultd: ## Build the Vault server of the tests into the cache
	@scripts/vaultd.sh
