# Targets are described in README.md; "make" alone lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory

TRAVELLERS ?=
SCENARIO ?=
REPORT ?= out/demo/report.json
FUZZTIME ?= 2s

module := $(shell sed -n 's/^module //p' go.mod)
programs := gated gatectl gatesim hqd

.PHONY: help run test check build setup setup-test screens models bench soak deb deb-test lint fmt fuzz race leaks nocgo clean-tree clean

help: ## list the targets
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 10

run: setup build models ## the demonstration; TRAVELLERS=n and SCENARIO=file change it
	@mkdir -p $(dir $(REPORT))
	@bin/gatesim run $(if $(TRAVELLERS),--travellers $(TRAVELLERS)) $(if $(SCENARIO),--scenario $(SCENARIO)) --report $(REPORT)

# What only tests need: peers of the drivers, and a browser for the pages.
test_packages := python3-pymodbus python3-serial-asyncio mbpoll libmodbus-dev python3-prometheus-client \
	chromium-headless-shell fonts-dejavu-core fonts-lao fonts-khmeros fonts-wqy-microhei

test: setup setup-test models build ## every test
	@BORDERGATE_PARTS=all go test ./...

build: setup ## the programs, into bin/
	@mkdir -p bin
	@echo "build: $(programs) gatevision" >&2
	@CGO_ENABLED=0 go build -trimpath -o bin/ $(addprefix ./cmd/,$(programs))
	@CGO_ENABLED=1 go build -trimpath -buildmode=pie -o bin/ ./cmd/gatevision

setup: ## what is missing on this machine
	@command -v go >/dev/null 2>&1 || { echo "setup: Go is not on PATH: install it from https://go.dev/dl" >&2; exit 1; }
	@.setup/debian

setup-test: setup bin/.test/axe/node_modules/.package-lock.json
	@.setup/debian $(test_packages)
	@.setup/promtool

# What judges the pages: npm takes exactly what the lock file names, and no
# package may run a script.
bin/.test/axe/node_modules/.package-lock.json: $(addprefix .test/axe/,package.json package-lock.json)
	@echo "setup: fetching axe-core from the npm registry" >&2
	@mkdir -p bin/.test/axe
	@cp $^ bin/.test/axe
	@cd bin/.test/axe && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2
	@touch $@

models: setup ## the model pack, hash-checked, into models/
	@mkdir -p bin
	@CGO_ENABLED=0 go build -trimpath -o bin/ ./cmd/gatectl
	@bin/gatectl models fetch --manifest configs/models.yaml --dir models >/dev/null

check: setup setup-test models build ## format, lint, vet, race, leaks, without cgo, fuzz, clean tree
	@$(MAKE) lint
	@echo "check: vet" >&2
	@go vet ./...
	@$(MAKE) race
	@$(MAKE) leaks
	@$(MAKE) nocgo
	@$(MAKE) fuzz
	@$(MAKE) clean-tree
	@echo "check: all good" >&2

lint: setup ## format and lint
	@echo "check: format and lint" >&2
	@tool=$$(.setup/lint); \
	unformatted=$$($$tool fmt --diff) || true; \
	if [ -n "$$unformatted" ]; then printf '%s\n' "$$unformatted"; echo "check: run \"make fmt\"" >&2; exit 1; fi; \
	$$tool run --timeout 10m ./...

fmt: setup ## write the files in the one format
	@tool=$$(.setup/lint); $$tool fmt

race: ## every test with the race detector
	@echo "check: tests with -race" >&2
	@go test -race ./...

screens: setup-test ## the traveller's screen in all languages and sizes, judged in Chromium, with pictures in out/screens
	@rm -rf out/screens
	@BORDERGATE_PARTS=all BORDERGATE_SCREENS=$(CURDIR)/out/screens go test -count=1 -v -run 'TestEveryTextFits|TestTravellersWay|TestThePageRecovers' ./gate/screen

leaks: ## every picture of OpenCV that is opened is closed, over 1,000 frames
	@echo "check: pictures left open" >&2
	@go test -tags matprofile -run 'Close' ./biometrics/vision

# Short: what takes long there runs twice already, and has no other code here.
nocgo: ## build and test all but gatevision without cgo
	@echo "check: build and test with CGO_ENABLED=0" >&2
	@CGO_ENABLED=0 go build -o /dev/null $$(CGO_ENABLED=0 go list -f '{{if .GoFiles}}{{.ImportPath}}{{end}}' ./... | grep -v '^$(module)/cmd/gatevision$$')
	@CGO_ENABLED=0 go test -short ./...

fuzz: ## each fuzz target for FUZZTIME
	@echo "check: each fuzz target for $(FUZZTIME)" >&2
	@mkdir -p out
	@FUZZTIME=$(FUZZTIME) .setup/fuzz

clean-tree: ## nothing changed and nothing new that git does not ignore
	@changed=$$(git status --porcelain); \
	if [ -n "$$changed" ]; then printf 'check: the tree is not clean:\n%s\n' "$$changed" >&2; exit 1; fi

parts := barcode biometrics sync lane accounts people
bench: setup ## the results beside their peers, into out/bench.json; PART=barcode|biometrics|sync|lane|accounts|people
	@failed=; for part in $(or $(PART),$(parts)); do $(MAKE) bench-$$part || failed=yes; done; [ -z "$$failed" ]

bench-lane: setup-test bin/.bench/gatebench bin/.bench/modbus
	@bin/.bench/gatebench lane

# Peers come from Debian or npm and run as processes of their own.
bench-barcode: bin/.bench/gatebench bin/.bench/gatevision bin/.bench/zxing bin/.bench/zbar bin/.bench/dmtx
	@bin/.bench/gatebench barcode

bench-biometrics: models build bin/.bench/gatebench bin/.bench/opencv bin/.bench/faceapi/faceapi.js
	@bin/.bench/gatebench biometrics

bench-sync: build bin/.bench/gatebench
	@bin/.bench/gatebench sync

ACCOUNTS ?= 1000000
bench-accounts: build bin/.bench/gatebench bin/.bench/sqlite
	@bin/.bench/gatebench accounts --accounts $(ACCOUNTS)

bench-people: setup-test bin/.bench/gatebench
	@bin/.bench/gatebench people

.PHONY: bin/.bench/gatebench bin/.bench/gatevision bench-peers
bin/.bench/gatebench:
	@mkdir -p bin/.bench
	@CGO_ENABLED=0 go build -trimpath -o $@ ./cmd/gatebench

# The worker as a gate has it, for the stream.
bin/.bench/gatevision:
	@mkdir -p bin/.bench
	@CGO_ENABLED=1 go build -trimpath -o $@ ./cmd/gatevision

bench-peers:
	@.setup/debian libzxing-dev libzbar-dev libdmtx-dev
	@mkdir -p bin/.bench

bin/.bench/zxing: .bench/barcode/zxing.cpp .bench/barcode/pipe.h | bench-peers
	@g++ -O2 -std=c++17 -o $@ $< -lZXing

bin/.bench/zbar bin/.bench/dmtx: bin/.bench/%: .bench/barcode/%.c .bench/barcode/pipe.h | bench-peers
	@gcc -O2 -o $@ $< -l$*

bin/.bench/modbus: .bench/lane/master.c
	@.setup/debian libmodbus-dev
	@mkdir -p bin/.bench
	@gcc -O2 -o $@ $< $$(pkg-config --cflags --libs libmodbus)

bin/.bench/sqlite: .bench/accounts/sqlite.c
	@.setup/debian libsqlite3-dev
	@mkdir -p bin/.bench
	@gcc -O2 -o $@ $< -lsqlite3

bin/.bench/opencv: .bench/biometrics/opencv.cpp .bench/biometrics/pipe.h
	@mkdir -p bin/.bench
	@g++ -O2 -std=c++17 -o $@ $< $$(pkg-config --cflags opencv4) -lopencv_dnn -lopencv_imgproc -lopencv_core

bin/.bench/faceapi/faceapi.js: .bench/biometrics/faceapi.js bin/.bench/faceapi/node_modules/.package-lock.json
	@cp $< $@

# npm takes exactly what the lock file names, and no package may run a script.
bin/.bench/faceapi/node_modules/.package-lock.json: $(addprefix .bench/biometrics/,package.json package-lock.json)
	@echo "bench: fetching the peer face-api from the npm registry" >&2
	@mkdir -p bin/.bench/faceapi
	@cp $^ bin/.bench/faceapi
	@cd bin/.bench/faceapi && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2
	@touch $@

deb: models build ## an installable Debian package, into out/
	@.setup/debian debhelper
	@.setup/deb

deb-test: deb ## install, start, upgrade, remove and purge it in a Debian 12 root of its own
	@.setup/deb-test

SEED ?= 1
soak: setup ## the long fault campaigns; PART=sync|lane, SEED=n; into out/soak-PART.json
	@$(MAKE) soak-$(or $(PART),sync)

soak-sync:
	@mkdir -p bin
	@CGO_ENABLED=0 go build -trimpath -o bin/ ./cmd/gatesim ./cmd/hqd
	@bin/gatesim soak sync --seed $(SEED)

soak-lane: models build
	@mkdir -p bin/.bench
	@CGO_ENABLED=0 go test -c -o bin/.bench/lane.test ./cmd/gated/app
	@bin/gatesim soak lane --seed $(SEED)

soak-people:
	@echo "make soak PART=$(@:soak-%=%): not there yet. That part comes with the work on it; there are: sync, lane." >&2
	@exit 2

clean: ## remove what was built; models and results stay
	@rm -rf bin
