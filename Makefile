.PHONY: help packages up stop down status logs test e2e conformance faults bench picture generate lifecycle
.DEFAULT_GOAL := help

# npm writes this file last.
packages = node_modules/.package-lock.json
sandbox = node --require ts-node/register sandbox/cli.ts

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

packages: $(packages) ## install the npm packages

up: $(packages) ## start a homelab on this machine, and deploy the registry to it
	@$(sandbox) up

stop: $(packages) ## kill the homelab at once, and keep its data
	@$(sandbox) stop

down: $(packages) ## remove the homelab and its data
	@$(sandbox) down

status: $(packages) ## show which parts of the homelab run
	@$(sandbox) status

logs: $(packages) ## show the end of each log, without secrets
	@$(sandbox) logs

test: $(packages) ## run the checks and the unit tests
	npm run check
	npm test

e2e: up ## run the end-to-end tests in the homelab; only=parallel or only=exclusive runs a part
	[ "$(only)" = exclusive ] || tests/e2e/examples/install
	sandbox/env tests/e2e/run $(only)

conformance: up ## run the OCI conformance suite; also part of e2e
	sandbox/env node_modules/.bin/mocha tests/e2e/conformance.test.ts

faults: up ## break things while clients push and pull; short=1 runs fewer tests
	FAULTS_SHORT=$(short) sandbox/env tests/faults/run $(only)

bench: up ## compare the speed with other set-ups; example: options="rounds=1 only=layer"
	sandbox/env node --require ts-node/register bench/bench.ts $(options)

picture: up ## draw docs/picture.svg again
	sandbox/env node --require ts-node/register docs/picture.ts

generate: $(packages) ## write the schema, the keys' table and docs/api from the arguments
	node --require ts-node/register generate/cli.ts

lifecycle: $(packages) ## test the homelab itself: start, kill, start again, remove
	node_modules/.bin/mocha 'tests/sandbox/*.test.ts'

$(packages): package.json package-lock.json
	npm ci
	@touch $@
