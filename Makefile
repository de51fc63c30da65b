.PHONY: help up down status logs test e2e lifecycle
.DEFAULT_GOAL := help

sandbox = node --require ts-node/register sandbox/cli.ts

help: ## what there is to make
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

up: node_modules ## a homelab on this machine, and the registry in it, by a real pulumi up
	@$(sandbox) up

down: node_modules ## takes all of it away again
	@$(sandbox) down

status: node_modules ## what of it is up
	@$(sandbox) status

logs: node_modules ## the end of each log, without secrets
	@$(sandbox) logs

test: node_modules ## all tests that need no homelab
	npm run check
	npm test

e2e: up ## the tests that need one
	sandbox/env node_modules/.bin/mocha 'tests/e2e/*.test.ts'

lifecycle: node_modules ## tests of the homelab itself: up, killed, up again, down without a trace
	node_modules/.bin/mocha 'tests/sandbox/*.test.ts'

node_modules: package-lock.json
	npm ci
	@touch node_modules
