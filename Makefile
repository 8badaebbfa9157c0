# Plenum's targets. `make help` lists them.

ADDR ?= 127.0.0.1:8080
DATA ?= ./data
GO   ?= go
BIN  := $(CURDIR)/bin
export PATH := $(BIN):$(PATH)

# Tests run by a newer Go than builds need: with 1.26, two goroutines of one synctest bubble that look at timers
# which have expired use one context of the race detector at once, and crash it; 1.27 gives each processor its own.
RACE := GOTOOLCHAIN=go1.27.4 $(GO) test -race

MODULES := $(patsubst ./%,%,$(shell sed -n 's|^\t\(\./.*\)|\1|p' go.work))

.DEFAULT_GOAL := help
.PHONY: help run web-dev demo test lint modules vulnerabilities cluster faults proto tools bench clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## start Plenum, with the web application, on ADDR with its data under DATA, TLS=1 with a certificate of its own; Ctrl-C stops it
	@./.ci/web
	@$(GO) build -o $(BIN)/ plenum.internal/deploy/cmd/plenum plenum.internal/client/cmd/plenumctl
	@exec $(BIN)/plenum --addr $(ADDR) --data $(DATA) $(if $(TLS),--self_signed)

demo: ## a workspace with people, channels and threads in the Plenum that runs on ADDR with its data under DATA, to look around
	@$(GO) build -o $(BIN)/ plenum.internal/client/cmd/plenumctl
	@$(if $(TLS),SSL_CERT_FILE=$(DATA)/tls/cert.pem) $(BIN)/plenumctl --server http$(if $(TLS),s)://$(ADDR) demo --data $(DATA)

web-dev: ## the web application by Vite, of its sources as they are, with the Plenum that runs on ADDR behind it
	@./.ci/node web
	@PLENUM=http://$(ADDR) npm --prefix web/app run --silent dev

test: tools ## every test, of web/ and in a browser, too, on both SQL engines and in both shapes, with the race detector
	@./.ci/postgres
	@./.ci/node
	@./.ci/web must
	npm --prefix web test
	@./.ci/chromium
	$(GO) build -o $(BIN)/ plenum.internal/deploy/cmd/plenum plenum.internal/client/cmd/plenumctl
	npm --prefix web run e2e
	$(RACE) -count=1 -timeout 30m work # no answers of before: tests drive programs that they build, which Go's cache doesn't see

lint: tools ## golangci-lint, go vet, go fix, buf lint, eslint, fresh generated code
	@./.ci/node
	@./.ci/lint $(MODULES)

modules: ## each module by itself: go vet and a tidy go.mod, outside of the workspace
	@for m in $(MODULES); do echo "-- $$m"; (cd $$m && GOWORK=off $(GO) vet ./... && GOWORK=off $(GO) mod tidy -diff) || exit 1; done

vulnerabilities: tools ## govulncheck on each module, where its database can be had
	@./.ci/vulnerabilities $(MODULES)

cluster: tools ## the same as many processes on loopback: `make cluster`, and `make cluster CMD=down` to stop them
	@./.ci/postgres
	@./.ci/web
	@$(GO) build -o $(BIN)/ plenum.internal/deploy/cmd/... plenum.internal/chat/cmd/... plenum.internal/docs/cmd/... plenum.internal/presence/cmd/... plenum.internal/services/identity/cmd/... plenum.internal/client/cmd/...
	@exec $(BIN)/cluster $(CMD)

faults: tools ## a cluster whose parts fail by a schedule, under load, and a verdict; SEED=7 FOR=10m ONLY=disk,kill TRANSPORT=sse choose it, FOR=30m is long
	@./.ci/postgres
	@$(GO) build -o $(BIN)/ plenum.internal/deploy/cmd/faults
	@$(BIN)/faults build
	@exec $(BIN)/faults $(if $(SEED),--seed $(SEED)) $(if $(FOR),--for $(FOR)) $(if $(ONLY),--only $(ONLY)) $(if $(TRANSPORT),--transport $(TRANSPORT))

proto: tools ## generate Go and TypeScript from the .proto files, and note their checksum
	@./.ci/node
	cd proto && buf lint && buf generate
	./.ci/generate-web
	cd proto && find . -name '*.proto' | LC_ALL=C sort | xargs sha256sum > checksums
	./.ci/generate gateway/internal/testsvc/testv1 plenum/test/v1
	./.ci/generate mesh/meshtest/board/boardv1 plenum/board/v1

tools: $(BIN)/.installed ## buf, golangci-lint, nats-server, etcd and others into bin/

$(BIN)/.installed: tools/go.mod
	@echo "building the tools into bin/ (minutes, once)"
	@GOWORK=off GOBIN=$(BIN) $(GO) install -C tools tool
	@touch $@

bench: tools ## hold a Plenum against its bars; ONLY=fanout runs one group, RUNS=1 each once
	@./.ci/postgres
	@$(GO) run plenum.internal/loadtest/cmd/bench --runs $(or $(RUNS),5) $(if $(ONLY),--only $(ONLY))

clean: ## remove what was built; the data stays
	rm -rf $(BIN) .cluster .faults docs/ot/oracle/node_modules web/node_modules web/*/node_modules web/*/dist
	find deploy/page/built -mindepth 1 ! -name .gitignore -delete
