.DEFAULT_GOAL := help
# Where rustup puts cargo, for a shell that was opened before.
export PATH := $(PATH):$(or $(CARGO_HOME),$(HOME)/.cargo)/bin
# What is built for release is always built together, here and by deploy/local/up.sh: another choice of packages gives their
# dependencies other features, and ten minutes of work would be done again.
RELEASED := --package node --package bench-floor
# What the formatter of the workspace does not see: modules that macros find, and workspaces of their own.
UNSEEN := crates/sim/src/faults/*.rs crates/sim/src/workloads/*.rs crates/sim/src/invariants/*.rs \
	tests/sdk/rust/src/*.rs tests/runtimes/rust/src/*.rs tests/fuzz/src/*.rs tests/fuzz/src/bin/*.rs
.PHONY: help up down dev test check fix compatibility bench sim sim-soak sim-planted fuzz chaos chaos-soak upgrade security

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

up: ## Build, start three nodes in three zones, deploy a function, invoke it
	@deploy/local/up.sh

down: ## Stop the nodes of `make up`; their data stays in .dunlin/
	@python3 -B deploy/local/down.py

dev: ## Run a whole cluster in one process, for development
	@deploy/local/toolchain.sh
	@cargo build --quiet --release --locked $(RELEASED)
	@command -v aws >/dev/null || { deploy/local/venv.sh awscli && echo 'a client is in $(CURDIR)/.venv/bin/aws'; }
	@target/release/dunlin dev

test: ## Run every test: crates, then real clients against a real cluster
	@deploy/local/test.sh

check: ## Formatting, lints, house rules; changes nothing
	@deploy/local/toolchain.sh
	cargo fmt --all --check
	rustfmt --edition 2024 --check $(UNSEEN)
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cargo test --quiet --locked --workspace --test tidy

fix: ## Format, apply lints, make the generated pages anew
	@deploy/local/toolchain.sh
	@mkdir -p target
	cargo run --quiet --package node -- config reference > target/configuration.md
	cp target/configuration.md docs/configuration.md
	cargo clippy --workspace --all-targets --fix --allow-dirty --allow-staged
	cargo fmt --all
	rustfmt --edition 2024 $(UNSEEN)

compatibility: ## Try every operation of the API, write docs/compatibility.md
	@deploy/local/toolchain.sh && deploy/local/venv.sh
	@cargo build --quiet --locked --package node
	@DUNLIN_WRITE_COMPATIBILITY=1 .venv/bin/python -m pytest --quiet tests/conformance

security: ## Try to get out of an execution environment, and the same without its walls
	@deploy/local/toolchain.sh && deploy/local/venv.sh
	@cargo build --quiet --locked --workspace
	@.venv/bin/python -m pytest --quiet tests/test_security.py

sim: ## Run the simulator with one seed: make sim SEED=42 OPTIONS='--seconds=60'
	@cargo build --quiet --locked --package sim
	@target/debug/dunlin-sim run --seed $(or $(SEED),1) --trace - $(OPTIONS)

sim-soak: ## Run the simulator with new seeds until one fails
	@cargo build --quiet --locked --package sim
	@target/debug/dunlin-sim seeds --from $$(date +%s) --count 1000000000 --seconds 40 --fail-fast

sim-planted: ## Plant bugs, one at a time, and prove that the checks find them
	@deploy/local/toolchain.sh
	@python3 -B deploy/local/planted.py $(OPTIONS)

fuzz: ## Fuzz every parser from the kept corpus: make fuzz FUZZ_SECONDS=600 OPTIONS='--target=policy'
	@deploy/local/toolchain.sh
	@python3 -B deploy/local/fuzz.py run $(OPTIONS)

chaos: ## Break a local cluster under load, as root: make chaos SCENARIO=leader OPTIONS='--seed=7'
	@deploy/local/toolchain.sh chaos && deploy/local/venv.sh boto3
	@cargo build --quiet --locked --package node
	@target/debug/dunlin chaos run $(or $(SCENARIO),smoke) $(OPTIONS)

chaos-soak: ## Break it for hours, by chance
	@$(MAKE) --no-print-directory chaos SCENARIO=soak

upgrade: ## Upgrade a cluster from another revision and back, under load: make upgrade PREVIOUS=HEAD~1
	@deploy/local/toolchain.sh && deploy/local/venv.sh boto3
	@PREVIOUS='$(PREVIOUS)' .venv/bin/python -B deploy/local/upgrade.py $(OPTIONS)

bench: ## Measure a cluster beside its floors, then one with 100 000 functions
	@deploy/local/toolchain.sh && deploy/local/venv.sh
	@cargo build --release --locked $(RELEASED)
	@.venv/bin/python -B tests/bench/run.py
	@.venv/bin/python -B tests/bench/scale.py
