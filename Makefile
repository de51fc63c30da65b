.PHONY: help up stop down status logs test e2e conformance faults bench picture reference schema lifecycle
.DEFAULT_GOAL := help

# What npm writes when it is done.
packages = node_modules/.package-lock.json
sandbox = node --require ts-node/register sandbox/cli.ts

help: ## what there is to make
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

up: $(packages) ## a homelab on this machine, and the registry in it, by a real pulumi up
	@$(sandbox) up

stop: $(packages) ## kills it at once, and keeps its data for the next up
	@$(sandbox) stop

down: $(packages) ## takes all of it away again
	@$(sandbox) down

status: $(packages) ## what of it is up
	@$(sandbox) status

logs: $(packages) ## the end of each log, without secrets
	@$(sandbox) logs

test: $(packages) ## all tests that need no homelab
	npm run check
	npm test

e2e: up ## the tests that need one
	tests/e2e/examples/install
	sandbox/env tests/e2e/run

conformance: up ## the OCI distribution conformance suite against the registry, which e2e has as well
	sandbox/env node_modules/.bin/mocha tests/e2e/conformance.test.ts

faults: up ## the tests that break things, with clients at work; short=1: fewer of them
	FAULTS_SHORT=$(short) sandbox/env node_modules/.bin/mocha 'tests/faults/*.test.ts'

bench: up ## how fast it is beside the hand-made set-up and the limit (options="rounds=1 only=layer", say)
	sandbox/env node --require ts-node/register bench/bench.ts $(options)

picture: up ## docs/picture.svg, of what a first preview and a look at the registry print
	sandbox/env node --require ts-node/register docs/picture.ts

reference: $(packages) ## docs/api: the component's arguments, of their docstrings
	node_modules/.bin/typedoc

schema: up ## what the component is in other languages, after a change of its arguments or their descriptions
	sandbox/env pulumi package get-schema tests/e2e/examples/bin/pulumi-resource-homelab-registry > components/schema.json

lifecycle: $(packages) ## tests of the homelab itself: up, killed, up again, down without a trace
	node_modules/.bin/mocha 'tests/sandbox/*.test.ts'

$(packages): package.json package-lock.json
	npm ci
	@touch $@
