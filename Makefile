# Everything a contributor or a build machine runs. Only Go and make are needed, and a C compiler for race.
#
#   make check     all that a change must pass; quiet but for go test's own lines
#   make test-arm64  the kernels and layers on an emulated arm64 processor (needs qemu-aarch64; skips without)
#   make race      the tests under the race detector (needs a C compiler)
#   make bigtext   trains on 2 GB of text under 1 GB of memory; the tests do it with 100 MB
#   make stress    160,000 products and gates on 200 goroutines while the collector and signals disturb them
#   make fuzz      every fuzz target for FUZZTIME (10s) each, little of it spent on shortening what it finds
#   make bench     benchmarks, by shape;  make benchcmp  the same with and without assembly
#   make size      the binary's size and the time of a cold build, against their limits
#   make asm       writes the assembly again, after a change of internal/kernel/asm
#   make golden    writes the PyTorch and Keras fixtures again (needs Python; see bench/golden)

SHELL       := /bin/bash
GO          ?= go
CROSS       := linux/arm64 darwin/arm64 windows/amd64
MAX_BINARY  := 30000000
MAX_COLD    := 60
QEMU        ?= qemu-aarch64
FUZZTIME    ?= 10s
BENCHTIME   ?= 200ms
ASM         := internal/kernel/asm
STATICCHECK := $(GO) tool -modfile=tools/go.mod staticcheck

# The product is pure Go; nothing but the race detector may need a C compiler.
export CGO_ENABLED := 0

.PHONY: check build cross fmt vet lint tidy asm-fresh test test-purego test-arm64 race bigtext stress fuzz bench benchcmp size asm golden clean

check: build binary-size cross fmt vet lint tidy asm-fresh test test-purego test-arm64

build:
	@$(GO) build -trimpath -o bin/ ./cmd/refrain

.PHONY: binary-size
binary-size: build
	@n=$$(wc -c < bin/refrain); [ $$n -le $(MAX_BINARY) ] || \
	  { echo "bin/refrain has $$n bytes, more than $(MAX_BINARY)" >&2; exit 1; }

# vet compiles the tests too, so a test that builds on one system only is found here.
cross:
	@for t in $(CROSS); do \
	  GOOS=$${t%/*} GOARCH=$${t#*/} $(GO) build -o /dev/null ./cmd/refrain && \
	  GOOS=$${t%/*} GOARCH=$${t#*/} $(GO) vet ./... || { echo "cross-build for $$t failed" >&2; exit 1; }; \
	done

fmt:
	@out=$$(gofmt -l $$(git ls-files -co --exclude-standard '*.go')) || exit 1; \
	  [ -z "$$out" ] || { echo "not formatted; run gofmt -w on:"; echo "$$out"; exit 1; } >&2

vet:
	@$(GO) vet ./... && $(GO) vet -tags purego ./...

lint:
	@$(STATICCHECK) ./... && $(STATICCHECK) -tags purego ./...

tidy:
	@$(GO) mod tidy -diff && (cd tools && $(GO) mod tidy -diff) && cd $(ASM) && $(GO) mod tidy -diff

asm:
	@cd $(ASM) && $(GO) generate

# What the generator writes elsewhere must be what is checked in. It is a module of its own, and writes beside itself.
asm-fresh:
	@dir=$$(mktemp -d) && trap 'rm -rf "$$dir"' EXIT && cp -r $(ASM) $$dir/asm && (cd $$dir/asm && $(GO) generate) && \
	  for f in $$dir/*.*; do cmp "$$f" $(ASM)/../$${f##*/} >&2 || \
	  { echo "$${f##*/} is not what $(ASM) writes; run make asm" >&2; exit 1; }; done

test:
	@$(GO) test -timeout 15m ./...

test-purego:
	@echo "with -tags purego:"
	@$(GO) test -timeout 15m -tags purego ./...

# TestOneHash trains in one process and holds NEON to the bits of AVX2 and AVX-512.
test-arm64:
	@if ! command -v $(QEMU) >/dev/null; then echo "$(QEMU) is not here: the NEON kernels are not tested (Debian: qemu-user)"; else \
	  echo "on an emulated arm64 processor:"; export GOARCH=arm64; \
	  $(GO) test -timeout 15m -exec $(QEMU) ./internal/cpu ./internal/kernel ./nn && \
	  $(GO) test -timeout 15m -exec $(QEMU) -run 'Golden' ./lm && $(GO) test -timeout 15m -exec $(QEMU) -run TestOneHash ./train; fi

race:
	@CGO_ENABLED=1 $(GO) test -race -timeout 30m ./...

bigtext:
	@REFRAIN_TEST_BIG_MB=2000 $(GO) test -timeout 60m -count 1 -v -run BigText ./train

stress:
	@REFRAIN_TEST_STRESS=80 $(GO) test -timeout 60m -count 1 -v -run TestStress ./internal/kernel

fuzz:
	@for p in $$($(GO) list ./...); do \
	  for f in $$($(GO) test -list '^Fuzz' $$p | grep '^Fuzz'); do \
	    echo "$$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x $$p || exit 1; \
	  done; \
	done

bench:
	@$(GO) test -run '^$$' -bench . -benchmem -benchtime $(BENCHTIME) ./...

benchcmp:
	@for tags in purego ''; do echo "tags: $${tags:-none (assembly)}"; \
	  $(GO) test -run '^$$' -bench . -benchtime $(BENCHTIME) -tags "$$tags" ./internal/kernel || exit 1; done

# A build with an empty cache, as on a fresh machine; modules are already there.
size: build
	@dir=$$(mktemp -d) && trap 'rm -rf "$$dir"' EXIT && $(GO) mod download && start=$$(date +%s) && \
	  GOCACHE=$$dir/cache $(GO) build -trimpath -o $$dir/refrain ./cmd/refrain && \
	  took=$$(( $$(date +%s) - start )) && n=$$(wc -c < $$dir/refrain) && \
	  echo "binary $$n bytes (at most $(MAX_BINARY)), cold build $$took s (at most $(MAX_COLD))" && \
	  [ $$n -le $(MAX_BINARY) ] && [ $$took -le $(MAX_COLD) ]

golden:
	@bench/golden/run

clean:
	@rm -rf bin
