# The project's commands. `make` alone lists them.
.DEFAULT_GOAL := help
PYTHON := $(CURDIR)/.venv/bin/python

.PHONY: help install lint test-fakes test-rust test docs demo bench

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

docs: ## writes the registry's pages from the declarations and the examples
	RDSACCESS_UPDATE=1 cargo nextest run --test golden docs

demo: install ## the main job from end to end on this machine
	cargo build
	$(PYTHON) scripts/demo.py

bench: install ## start-up, schema, memory and size of a release build, beside hashicorp/aws where there is a mirror of it; roles at scale
	$(PYTHON) -m pip install --quiet --disable-pip-version-check -r tests/bench/requirements.txt
	cargo build --release
	scripts/bench
