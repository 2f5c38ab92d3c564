# The one door to Riser. Every target is described by the text behind its `##`.
.DEFAULT_GOAL := help
SHELL := /bin/bash

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

demo: ui ## build everything and run a whole building on this machine until Ctrl-C
	cargo build --release -p riserd -p riser-cloud -p riser-sim -p riser-demo
	exec target/release/riser-demo

test: ## install the test peers and run every test there is (what CI runs)
	node tests/run.mjs all

faults: ## cut power, fill disks and break links, again and again (an hour or so)
	node tests/run.mjs faults

nightly: ## tests with peers too heavy for every run (Home Assistant), and the adapters' long ones
	node tests/run.mjs nightly

lint: ## formatting, clippy, TypeScript, licences and duplicate crates
	node tests/run.mjs lint

bench: ## print the product's figures beside this machine's own floors
	node tests/run.mjs setup peers
	cargo build --release -p riserd -p riser-cloud -p riser-bench
	target/release/riser-bench

ui: ## install the web dependencies and build both web UIs
	node tests/run.mjs ui

fuzz: ## run every fuzz target for FUZZ_SECONDS (600) seconds each
	node tests/run.mjs fuzz

clean: ## remove everything that can be made again
	rm -rf target .peers .demo node_modules gateway/web/dist cloud-api/web/dist

.PHONY: help demo test faults nightly lint bench ui fuzz clean
