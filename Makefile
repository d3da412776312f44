# `make up` starts the whole system on this machine; `make help` lists the rest.

CARGO ?= cargo
# Further arguments of `aiinfra up`, e.g. make up ARGS='--http-addr 0.0.0.0:8080'
ARGS ?=

.PHONY: help up build test lint fmt audit

help: ## list what can be made
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

up: ## build and start control plane, gateway and one agent
	$(CARGO) build --release --locked --bins -p aiinfra -p utopia-agent
	exec target/release/aiinfra up $(ARGS)

build: ## build every program for production
	$(CARGO) build --release --locked --workspace --bins

test: ## run all tests, with throw-away servers
	$(CARGO) build --locked --workspace --bins
	.ci/backends.sh with $(CARGO) test --locked --workspace --no-fail-fast

lint: ## check format, lints, licences and dependencies
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	$(CARGO) deny --locked check --hide-inclusion-graph bans licenses sources

audit: ## check dependencies against the advisory database, which is fetched
	$(CARGO) deny --locked check advisories

fmt: ## format
	$(CARGO) fmt --all
