# Needs Node and npm alone: `make run` shows the whole pipeline at work, `make run-checks` proves it.
TSX := node --import tsx
export NODE_NO_WARNINGS := 1

.DEFAULT_GOAL := help
.PHONY: help requirements run run-checks bench lint typecheck audit test coverage build templates workflows docs test-deploy clean

help: ## Say what there is
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## (.*)/\1|\2/' | awk -F'|' '{ printf "  make %-14s %s\n", $$1, $$2 }'
	@echo "  make run DUMP=folder   the same on a real dump; KEEP=1 leaves everything up to look at; ARGS=--help says more"
	@echo "  npm run offline        the functions as you edit them; npm run emulator: an AWS to deploy to"

requirements: node_modules/.requirements ## Install what package-lock.json names, where it is missing

node_modules/.requirements: package-lock.json
	npm ci --ignore-scripts --no-audit --no-fund
	@touch $@

run: requirements ## Run the whole pipeline on this machine and show what arrives
	@$(TSX) localstack/run.ts $(if $(DUMP),--dump "$(DUMP)") $(if $(KEEP),--keep) $(ARGS)

bench: requirements ## Measure the pipeline against a COPY pipe of the same rows; ARGS=--help says more
	@$(TSX) bench/main.ts $(ARGS)

run-checks: requirements lint typecheck audit templates workflows docs coverage ## Lint, types, audit, templates, docs, tests and coverage

lint: requirements ## Formatter and linter
	npx oxfmt --check .
	npx oxlint --type-aware --deny-warnings .

typecheck: requirements ## Types, the lines that must not compile among them
	npx tsc --noEmit
	npx tsc --noEmit -p watch/page

audit: requirements ## Known vulnerabilities of what is deployed
	@$(TSX) scripts/audit.ts

templates: requirements ## Package every stage; cfn-lint and checkov, where Python is
	@$(TSX) scripts/check-templates.ts

workflows: requirements ## GitHub's workflows, by actionlint and zizmor, where Python is
	@$(TSX) scripts/check-workflows.ts

docs: requirements ## Whether the generated pages are as the code says; `npm run docs` writes them
	@$(TSX) scripts/docs.ts --check

test: requirements ## Tests alone: of what the Lambdas run on their Node 24, of the rest on yours
	@$(TSX) scripts/test.ts

coverage: requirements ## Tests, with coverage of src/ and tables/
	npx c8 $(TSX) scripts/test.ts

build: requirements ## Package the three functions
	npx sls package --stage local

test-deploy: requirements ## A real deployment to an AWS on this machine (needs Python 3.11; five minutes)
	@mkdir -p coverage
	MOCHA_JSON=coverage/mocha-deploy.json npx mocha --config tests/deploy/.mocharc.json --reporter scripts/spec-and-json.cjs

clean: ## Remove what was made here
	rm -rf node_modules .node24 .python .serverless .esbuild .local coverage
