# The project's commands. `make` alone lists them.
.DEFAULT_GOAL := help
PYTHON := $(CURDIR)/.venv/bin/python

.PHONY: help install lint test-fakes test-rust test

help: ## lists the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

install: ## installs what the tests need and this machine lacks
	scripts/install

lint: ## formatting and clippy, warnings are errors
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings

test-fakes: install ## the fake AWS, checked with boto3
	cd tests/fakes && $(PYTHON) -m unittest aws.test_launcher

test-rust: install ## unit, protocol and acceptance tests
	cargo nextest run --workspace

test: install lint test-fakes test-rust ## everything that must be green before a commit
