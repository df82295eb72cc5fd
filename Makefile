# What is not `go build ./...` and `go test ./...`.

SIM ?= go run ./cmd/sim
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
BUSYBOX ?= $(shell command -v busybox)

.PHONY: help
help: ## show this
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16

.PHONY: ci
ci: ## all that must hold, as CI runs it
	.ci/run

.PHONY: sandbox
sandbox: ## build and compile the agent as the sandbox runs it, and print where it is; the first run does so too
	go run ./cmd/internal/sandbox/guest/build

.PHONY: proto
proto: ## generate the code of proto/orrery.proto
	go tool -modfile=tools.mod buf lint
	go tool -modfile=tools.mod buf generate

.PHONY: golden
golden: ## rewrite all expected outputs under testdata; read the diff
	go test . ./cmd/internal/config ./cmd/orrery ./cmd/sim ./netsim ./sim ./sim/scenario ./store -update

.PHONY: readme
readme: ## put the last line of the run that the README shows into it
	@line=$$($(SIM) run scenarios/leader-failover | grep '^kept'); \
	sed -i "s/^kept: .*/$$line/" README.md && grep '^kept: ' README.md

.PHONY: bench
bench: ## the benchmarks of docs/benchmarks.md
	go test -run '^$$' -bench . -benchmem ./...

.PHONY: fuzz
fuzz: ## each fuzz target for a minute
	@for package in $$(go list ./...); do \
		for target in $$(go test -list '^Fuzz' $$package | grep '^Fuzz'); do \
			go test -run '^$$' -fuzz "^$$target$$" -fuzztime 60s $$package || exit 1; \
		done; \
	done

.PHONY: sim-smoke
sim-smoke: ## seeds 1 to 5 of the smoke set, and each rule that is broken on purpose
	$(SIM) run scenarios/ --set smoke --seeds 1..5
	$(SIM) run scenarios/must-fail scenarios/bugs

.PHONY: sim-faults
sim-faults: ## seeds 1 to 20 of the faults set
	$(SIM) run scenarios/ --set faults --seeds 1..20

.PHONY: sim-sandbox
sim-sandbox: ## two hundred swarms and all fault scenarios with the agent itself; an hour or more
	$(SIM) run scenarios/ --set faults --engine sandbox
	$(SIM) run scenarios/must-fail scenarios/bugs --engine sandbox --seeds 1..3
	$(SIM) explore scenarios/swarm --engine sandbox --seeds 200 --out out/failures

.PHONY: sim-soak
sim-soak: ## a night: crowds, three days, and twenty thousand swarms
	$(SIM) run scenarios/thundering-herd scenarios/many-members scenarios/long-haul
	$(SIM) explore scenarios/swarm --seeds 20000

.PHONY: mutants
mutants: ## break each rule on purpose; the table of docs/mutants.md
	$(SIM) mutants --format markdown --into docs/mutants.md

.PHONY: mutants-sandbox
mutants-sandbox: ## the same in the sandbox, for the second table of docs/mutants.md; a quarter of an hour
	$(SIM) mutants --engine sandbox --for 3m --format markdown --into docs/mutants.md

.PHONY: image
image: ## the container image orrery, from this tree; with a shell where the host has a static busybox
	rm -rf out/image && mkdir -p out/image/bin out/image/etc/ssl/certs out/image/data out/image/tmp && chmod 1777 out/image/tmp
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o out/image/bin/orrery ./cmd/orrery
	cp /etc/ssl/certs/ca-certificates.crt out/image/etc/ssl/certs/
	printf 'root:x:0:0::/:/bin/sh\norrery:x:65532:65532::/data:/bin/sh\n' >out/image/etc/passwd
	printf 'root:x:0:\norrery:x:65532:\n' >out/image/etc/group
	@if [ -x "$(BUSYBOX)" ] && "$(BUSYBOX)" | head -1 | grep -q BusyBox; then \
		cp "$(BUSYBOX)" out/image/bin/busybox; \
		for name in $$("$(BUSYBOX)" --list); do [ $$name = busybox ] || ln -sf busybox out/image/bin/$$name; done; \
	else echo "no static busybox (apt-get install busybox-static): the image has no /bin/sh"; fi
	docker build -q -t orrery:$(VERSION) -t orrery:latest .

.PHONY: compose-test
compose-test: image ## five members in containers: a leader stopped and taken back, a job on one member, all of it on all servers
	.ci/compose-test
