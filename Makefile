# Every target calls one script or command; `make help` lists them.

export CGO_ENABLED ?= 0
SANDBOX := OPERATOR_TRACING_MAKE=1 scripts/sandbox.sh
IMG ?= ghcr.io/operator-tracing/operator:latest

.DEFAULT_GOAL := help

##@ The sandbox

.PHONY: sandbox-up
sandbox-up: ## Create or repair the sandbox, and print the sample's trace (ARGS="--images=source …").
	@scripts/prerequisites.sh up $(ARGS)
	@$(SANDBOX) up $(ARGS)

.PHONY: sandbox-down
sandbox-down: ## Remove the sandbox (ARGS=--purge for the caches too).
	@$(SANDBOX) down $(ARGS)

.PHONY: sandbox-status
sandbox-status: ## Print the sandbox's components and Jaeger's address.
	@$(SANDBOX) status $(ARGS)

.PHONY: sandbox-doctor
sandbox-doctor: ## Find problems of this machine that prevent a sandbox, with remedies.
	@$(SANDBOX) doctor $(ARGS)

.PHONY: sandbox-logs
sandbox-logs: ## Print the logs of the sandbox's components (ARGS="operator -f").
	@$(SANDBOX) logs $(ARGS)

.PHONY: sandbox-export
sandbox-export: ## Write all that is known of the sandbox into a folder, without its secrets (ARGS=DIR).
	@$(SANDBOX) export $(ARGS)

.PHONY: run
run: ## Run the operator on this machine against the sandbox, exporting to its Jaeger (ARGS="--log-level=…").
	@scripts/run.sh $(ARGS)

##@ Tests

.PHONY: test
test: ## Run what CI runs: builds, linters, unit tests, and tests on a kind and on an embedded cluster.
	@scripts/prerequisites.sh test
	@scripts/test.sh ci

.PHONY: test-all
test-all: ## Run everything, as each night; takes some hours.
	@scripts/prerequisites.sh test
	@scripts/test.sh all

.PHONY: test-short
test-short: ## Run what needs no cluster.
	@scripts/test.sh short

.PHONY: e2e
e2e: ## Run the tests on the sandbox that is up, or on one of their own.
	@scripts/test.sh e2e

.PHONY: e2e-embedded
e2e-embedded: ## Run the tests on an embedded sandbox, as an ordinary user.
	@scripts/test.sh embedded

.PHONY: test-browser
test-browser: ## Test the sandbox's pages in headless Chromium.
	@scripts/prerequisites.sh test
	@scripts/test.sh browser

.PHONY: test-faults
test-faults: ## Run all tests that break and repair sandboxes; takes more than an hour.
	@scripts/faults.sh all

.PHONY: test-metrics
test-metrics: ## Test the example of metrics from traces with the OpenTelemetry Collector's library.
	@scripts/test.sh metrics

.PHONY: test-compat
test-compat: ## Test the library with each supported minor of controller-runtime.
	@scripts/compat.sh

.PHONY: test-mutation
test-mutation: ## Change the code, and test that the tests fail; takes hours (ARGS=sandbox/explain).
	@scripts/mutation.sh $(ARGS)

.PHONY: test-published
test-published: ## Pack the modules as a release does, and use them as others do.
	@scripts/published.sh

.PHONY: envtest-assets
envtest-assets: ## Build kube-apiserver, etcd and kubectl, and print the folder for KUBEBUILDER_ASSETS.
	@$(SANDBOX) envtest-assets

.PHONY: bench-up
bench-up: ## Measure kind alone against `sandbox up` (docs/benchmarks.md).
	@scripts/bench-up.sh

##@ Code

.PHONY: build
build: ## Build the operator and the sandbox into bin/.
	@scripts/build.sh

.PHONY: generate
generate: ## Generate deep copies, CRDs, RBAC, webhook manifests and docs/commands.md.
	@scripts/generate.sh

.PHONY: verify
verify: ## Fail if generated files, modules or formatting are out of date, or a linter complains.
	@scripts/verify.sh

.PHONY: cross
cross: ## Compile for arm64 and macOS (ARGS=all for Kubernetes and Jaeger too).
	@scripts/cross.sh $(ARGS)

.PHONY: release
release: ## Set the versions, tag and push a release (VERSION=v0.1.0, ARGS=--dry-run).
	@scripts/release.sh $(VERSION) $(ARGS)

.PHONY: release-snapshot
release-snapshot: ## Build the archives and images of a release into dist/ (ARGS=--platforms=linux/amd64).
	@scripts/snapshot.sh $(ARGS)

.PHONY: vulncheck
vulncheck: ## Look for known vulnerabilities; needs the database on the internet.
	@scripts/vulncheck.sh

##@ Any cluster (kubectl's current context)

.PHONY: install
install: ## Install the CRDs.
	@scripts/kubectl.sh apply --server-side --force-conflicts -k config/crd

.PHONY: uninstall
uninstall: ## Remove the CRDs, and with them every Head and ChildA.
	@scripts/uninstall.sh

.PHONY: deploy
deploy: ## Deploy the operator from image IMG; needs cert-manager.
	@scripts/deploy.sh apply $(IMG)

.PHONY: undeploy
undeploy: ## Remove the operator, and every Head before it.
	@scripts/deploy.sh delete $(IMG)

##@ Help

.PHONY: help
help: ## Show this help.
	@awk 'BEGIN {FS = ":.*## "} \
		/^##@ / {printf "\n%s\n", substr($$0, 5)} \
		/^[a-z0-9-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
