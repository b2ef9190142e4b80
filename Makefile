# The project's commands. `make` alone lists them.
.DEFAULT_GOAL := help
PYTHON := $(CURDIR)/.venv/bin/python

.PHONY: help install lint test-fakes test-rust test-engines test test-matrix test-policy test-modules audit docs demo bench package

help: ## lists the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

install: ## installs what the tests need and this machine lacks
	scripts/install

lint: ## formatting and clippy, warnings are errors
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings

test-fakes: install ## the fake AWS, its evaluator of IAM policies, the one for scale and the check of IAM tokens, held against boto3; the stand-in for Vault, against hvac
	cd tests/fakes && $(PYTHON) -m unittest aws.test_launcher aws.test_partitions aws.test_web_identity aws.test_iam_policies aws.test_iam_enforcement databases.test_iam_tokens databases.test_iam_server vault.test_vault scale.test_fake_aws

test-rust: install ## unit, protocol and acceptance tests
	cargo nextest run --workspace

test-engines: install ## the engines' tests on PostgreSQL 18 and MySQL (test-rust runs them on PostgreSQL 15 and MariaDB)
	scripts/matrix postgres-18 mysql-9.7

test-policy: install ## takes every action out of the IAM documents, one at a time (test-rust takes one of each statement)
	cargo nextest run --test terraform --run-ignored only least_privilege::scenarios

test-modules: ## the tests of examples/modules; hashicorp/aws is a stand-in, whose schema Terraform takes from a mirror or the registry
	cargo build
	printf 'provider_installation {\n  dev_overrides { "rdsaccess/rdsaccess" = "%s" }\n  direct {}\n}\n' "$(CURDIR)/target/debug" > target/dev.tfrc
	TF_CLI_CONFIG_FILE="$(CURDIR)/target/dev.tfrc" terraform -chdir=examples/modules/aws-connect get
	TF_CLI_CONFIG_FILE="$(CURDIR)/target/dev.tfrc" terraform -chdir=examples/modules/aws-connect test
	terraform -chdir=examples/modules/member-role init -backend=false -input=false
	terraform -chdir=examples/modules/member-role test

test-matrix: install ## the engines' tests on every server: PostgreSQL 12 to 18, MariaDB 10.11 and 11.8, MySQL
	scripts/matrix all

test: install lint test-fakes test-rust test-engines ## everything that must be green before a commit

audit: ## licences, advisories and sources of all dependencies, as deny.toml says; needs cargo-deny
	@cargo deny --version >/dev/null 2>&1 || { echo 'audit: cargo-deny is missing: cargo install --locked cargo-deny' >&2; exit 1; }
	cargo deny --locked --workspace check

docs: ## writes the registry's pages from the declarations and the examples, and the IAM documents of the tests
	RDSACCESS_UPDATE=1 cargo nextest run --test golden docs
	RDSACCESS_UPDATE=1 cargo nextest run --lib the_documents_are_the_committed_ones

demo: install ## the main job from end to end on this machine
	cargo build --workspace
	$(PYTHON) scripts/demo.py

bench: install ## start-up, schema, memory and size of a release build, beside hashicorp/aws where there is a mirror of it; roles at scale
	$(PYTHON) -m pip install --quiet --disable-pip-version-check -r tests/bench/requirements.txt
	cargo build --release --workspace
	scripts/bench

package: ## a release for this machine's platform in dist/, as the registry and a filesystem mirror want it
	scripts/package
