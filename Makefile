# Two commands are all the set-up there is, on a machine with Go, Node, make and
# a C compiler:
#
#   make devnet    build what is missing and run a chain on its own L1
#   make test      everything that CI runs
#
# `make help` lists the rest.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

GO       ?= go
NPM      ?= npm
BIN      := bin/talaria
ARGS     ?=
FUZZTIME ?= 3s
# Rounds of `kill -9` in `make crash`; `make test` runs a few.
CRASH_ROUNDS ?= 100
# For how long `make nodes` disturbs nodes, after a minute in which it measures.
NODES_TIME ?= 15m
# How long `make evm-fuzz` runs.
EVMFUZZ_TIME ?= 1h

VERSION := $(shell git describe --always --dirty --tags 2>/dev/null || echo unknown)
LDFLAGS := -X main.version=$(VERSION)

# What the binary is made of: Go sources, the module files and embedded assets.
ROOMS   := bench bls bridge chain cmd batch da derive evm exec feed invariant keccak l1 netaddr role rpc sdk/bridging sdk/ingest sdk/light secp256k1 sequencing snapshot state store telemetry verify
SOURCES := $(shell find $(wildcard $(ROOMS)) -type f -not -name '*_test.go' -not -path '*/testdata/*' 2>/dev/null)

# Rooms that start goroutines: their tests run a second time under the race detector.
RACY := $(addprefix ./,$(addsuffix /...,$(wildcard bench da evm exec feed keccak l1 role rpc sdk/light state store)))

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: devnet
devnet: $(BIN) ## run a devnet; flags in ARGS="--port 0 --json"
	@exec $(BIN) devnet $(ARGS)

.PHONY: build
build: $(BIN) ## build bin/talaria

$(BIN): go.mod go.sum $(SOURCES)
	@mkdir -p $(@D)
	$(GO) build -trimpath -buildvcs=false -ldflags '$(LDFLAGS)' -o $@ ./cmd/talaria
	@touch $@

.PHONY: test
test: lint unit race fuzz sdk-test contracts-test bindings-check asm-check e2e ## everything that CI runs
	@echo "make test: all passed"

.PHONY: lint
lint: ## gofmt, go vet, and golangci-lint where it is installed
	@unformatted=$$(git ls-files --cached --others --exclude-standard '*.go' | xargs -r ls -d 2>/dev/null | xargs -r gofmt -l); \
	if [ -n "$$unformatted" ]; then echo "gofmt -w would change:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...
	@if command -v golangci-lint >/dev/null; then golangci-lint run; fi

.PHONY: unit
unit: ## Go tests of every room
	$(GO) test -timeout 10m $$($(GO) list ./... | grep -v '/e2e$$')

.PHONY: race
race: ## Go tests of the rooms that start goroutines, under the race detector
	$(GO) test -race -short -timeout 10m $(RACY)

.PHONY: fuzz
fuzz: ## run every fuzz target for FUZZTIME each
	@grep -rHoE '^func Fuzz[A-Za-z0-9_]+' --include='*_test.go' --exclude-dir=node_modules . | \
	sort | sed -E 's|^(.*)/[^/]+:func (.*)$$|\1 \2|' | while read -r room target; do \
		echo "fuzz $$room $$target $(FUZZTIME)"; \
		: "the engine sometimes reports the end of its time as a failure, without an input: once more"; \
		for try in 1 2; do \
			out=$$($(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$room" </dev/null 2>&1) && break; \
			case "$$try$$out" in 1*"context deadline exceeded"*) ;; *) echo "$$out"; exit 1;; esac; \
			case "$$out" in *"Failing input"*) echo "$$out"; exit 1;; esac; \
		done; \
	done

.PHONY: evm-fuzz
evm-fuzz: ## random transactions beside go-ethereum on all processors for EVMFUZZ_TIME
	TALARIA_EVMFUZZ=$(EVMFUZZ_TIME) $(GO) test -count 1 -timeout 0 -v -run '^TestDifferential$$' ./evm

contracts/node_modules/.stamp: contracts/package-lock.json
	$(NPM) --prefix contracts ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

e2e/node_modules/.stamp: e2e/package-lock.json
	$(NPM) --prefix e2e ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

sdk/ts/node_modules/.stamp: sdk/ts/package-lock.json
	$(NPM) --prefix sdk/ts ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

sdk/ts/dist/.stamp: sdk/ts/node_modules/.stamp sdk/ts/tsconfig.json sdk/ts/bundle.mjs $(wildcard sdk/ts/src/*.ts sdk/ts/example/*)
	$(NPM) --prefix sdk/ts run build --loglevel=error
	@touch $@

.PHONY: sdk
sdk: sdk/ts/dist/.stamp ## build the light client for browsers and Node into sdk/ts/dist

.PHONY: sdk-test
sdk-test: sdk ## the TypeScript light client against the vectors of the Go one
	$(NPM) --prefix sdk/ts test --loglevel=error

.PHONY: contracts-test
contracts-test: contracts/node_modules/.stamp ## Solidity tests
	$(NPM) --prefix contracts test --loglevel=error

.PHONY: bindings
bindings: contracts/node_modules/.stamp e2e/node_modules/.stamp ## write l1/bindings and the predeploys from contracts/
	$(NPM) --prefix contracts run bindings --loglevel=error
	node bench/token.mjs
	node bench/core/programs.mjs

.PHONY: vectors
vectors: ## write the withdrawal proofs that the Solidity tests read
	$(GO) test -count 1 -run TestVectorsOfWithdrawalProofs ./bridge -update

.PHONY: bindings-check
bindings-check: contracts/node_modules/.stamp e2e/node_modules/.stamp ## fail if `make bindings` would change anything
	$(NPM) --prefix contracts run bindings:check --loglevel=error
	node bench/token.mjs --check
	node bench/core/programs.mjs --check

.PHONY: asm
asm: ## write the vector code of secp256k1
	$(GO) generate ./secp256k1

.PHONY: asm-check
asm-check: ## fail if `make asm` would change anything
	$(GO) run ./secp256k1/asm | tail -n +2 | cmp - <(tail -n +2 secp256k1/lockstep_amd64.s)

.PHONY: e2e
e2e: $(BIN) sdk contracts/node_modules/.stamp e2e/node_modules/.stamp ## drive the built binary with cast, forge, viem, ethers and ethclient
	TALARIA_BIN=$(abspath $(BIN)) $(GO) test -count 1 -timeout 25m -parallel 3 ./e2e

.PHONY: nodes
nodes: $(BIN) ## the long form of the test of nodes in network namespaces; needs root
	TALARIA_BIN=$(abspath $(BIN)) TALARIA_LONG=1 TALARIA_NODES_TIME=$(NODES_TIME) \
		$(GO) test -count 1 -v -timeout 0 -run 'TestTheWire|TestNodes' ./e2e

.PHONY: crash
crash: $(BIN) contracts/node_modules/.stamp e2e/node_modules/.stamp ## the long form of the kill -9 tests: CRASH_ROUNDS rounds
	TALARIA_BIN=$(abspath $(BIN)) TALARIA_CRASH_ROUNDS=$(CRASH_ROUNDS) \
		$(GO) test -count 1 -v -timeout 120m -run 'TestKill|TestFollower' ./e2e

.PHONY: snapshots
snapshots: ## a process joins a chain of 2,000,000 accounts by snapshot: time, bytes, memory, and what the leader feels
	TALARIA_JOIN_ACCOUNTS=2000000 $(GO) test -count 1 -v -timeout 15m -run TestAChainOfManyAccountsIsJoined ./role/replica

.PHONY: streams
streams: ## 1,000 kills of subscribers under load, and every method asked about every event
	TALARIA_STREAM_KILLS=170 TALARIA_LONG=1 $(GO) test -count 1 -v -timeout 15m \
		-run 'TestAReconnectingSubscriber|TestWhatIsAnnounced' ./role/sequencer

.PHONY: bench
bench: $(BIN) ## latency and throughput of a fresh devnet, with what was verified
	TALARIA_BIN=$(abspath $(BIN)) TALARIA_BENCH=1 $(GO) test -count 1 -v -timeout 20m -run TestBench ./e2e

.PHONY: bench-core
bench-core: e2e/node_modules/.stamp ## the execution core beside go-ethereum and revm; flags in ARGS="-filter erc -runs 10 -json"
	@mkdir -p bin
	$(GO) build -buildvcs=false -ldflags '$(LDFLAGS)' -o bin/bench-core ./bench/core/compare
	@bin/bench-core $(ARGS)

.PHONY: bench-rpc
bench-rpc: $(BIN) e2e/node_modules/.stamp ## a devnet beside anvil and go-ethereum under the same load; flags in ARGS="-runs 10 -into results.jsonl"
	$(GO) run ./bench/peers $(ARGS)

.PHONY: bench-batch
bench-batch: ## bytes of a transaction on L1 beside the OP Stack's span batches; flags in ARGS="-spread=false"
	@mkdir -p bin
	$(GO) build -buildvcs=false -o bin/bench-batches ./bench/batches
	cd bench/opbatch && $(GO) build -buildvcs=false -o ../../bin/bench-opbatch .
	@bin/bench-batches -out bin/batches.rlp $(ARGS)
	@bin/bench-opbatch -in bin/batches.rlp -chain-id 7411

.PHONY: clean
clean: ## remove what the other targets built
	rm -rf bin contracts/out contracts/cache contracts/node_modules e2e/node_modules sdk/ts/dist sdk/ts/node_modules
