# Each target sees to the pinned Bun and hands over to TypeScript, which brings whatever else is missing.
.DEFAULT_GOAL := help
.PHONY: demo up down test setup help

bun = bun="$$(infra/setup/bun.sh)" && "$$bun"

demo: ## the whole pipeline embedded, no Docker: orders flow, instances die, nothing is lost (DEMO_SECONDS=30)
	@bun="$$(infra/setup/bun.sh)" && exec "$$bun" stage/demo.ts

up: ## the whole topology on containers: 3 brokers, 3 ZooKeeper nodes, producers and consumers behind HAProxy (SECURE=1)
	@$(bun) infra/setup/main.ts up && exec "$$bun" infra/up.ts

down: ## stops what make up started, and keeps its data (VOLUMES=1 removes them too)
	@$(bun) infra/down.ts $(if $(filter 1,$(VOLUMES)),--volumes)

test: ## every check and test (SUITES="unit lb" for some of them)
	@$(bun) infra/test/main.ts $(SUITES)

setup: ## only brings what the tests, and so everything else, need
	@$(bun) infra/setup/main.ts test

help: ## this
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-6s %s\n", $$1, $$2 }' Makefile
