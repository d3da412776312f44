# `make up` starts the whole system on this machine; `make help` lists the rest.

CARGO ?= cargo
# Further arguments of `aiinfra up`, e.g. make up ARGS='--http-addr 0.0.0.0:8080'
ARGS ?=
BUF ?= buf

.PHONY: help up build test schemathesis sdk sdk-check docs docs-reference docs-check instructions lint contract released fmt audit load-tests

help: ## list what can be made
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

up: ## build and start control plane, gateway and one agent
	$(CARGO) build --release --locked --bins -p aiinfra -p utopia-agent
	exec target/release/aiinfra up $(ARGS)

build: ## build every program for production
	$(CARGO) build --release --locked --workspace --bins

test: ## run all tests, with throw-away servers
	$(CARGO) build --locked --workspace --bins
	.ci/backends.sh with $(CARGO) test --locked --workspace --no-fail-fast

load-tests: ## measure everything on an idle machine, and write load-tests/report.md
	load-tests/run.sh

schemathesis: ## check that a running control plane does what its OpenAPI document says
	$(CARGO) build --locked -p utopia-controlplane --bins
	.ci/schemathesis.sh

sdk: ## make the generated files of the Python and Go SDKs from the contract
	$(CARGO) build --locked -p utopia-controlplane --bins
	sdk/generate.sh

sdk-check: ## check that the SDKs are what the contract makes, and test them
	$(CARGO) build --locked -p utopia-controlplane -p aiinfra --bins
	sdk/check.sh

docs: ## build the book, and check its links
	docs/build.sh

docs-reference: ## make the reference of the book from the contract and the programs
	$(CARGO) build --locked --workspace --bins
	docs/generate.sh

docs-check: ## check that the reference is what it should be, and run every command of the book
	$(CARGO) build --locked --workspace --bins
	docs/check.sh

instructions: ## compare what the hottest ways through the product cost with what is recorded, in instructions
	.ci/instructions.sh

lint: ## check format, lints, licences and dependencies
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	$(CARGO) deny --locked check --hide-inclusion-graph bans licenses sources

audit: ## check dependencies against the advisory database, which is fetched
	$(CARGO) deny --locked check advisories

contract: ## check style of the .proto files, and that they break nothing of the last release
	cd proto && $(BUF) lint && $(BUF) breaking --against released.binpb

released: ## after a release: take the contract of now as the one that may not break
	cd proto && $(BUF) build --exclude-source-info -o released.binpb

fmt: ## format
	$(CARGO) fmt --all
