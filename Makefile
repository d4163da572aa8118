# Lowtide. `make help` lists what there is. Needs Python >= 3.11 and nothing else: every target
# sets itself up, and everything it writes lands in .lowtide/.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
export LOWTIDE_HOME ?= $(CURDIR)/.lowtide
ifneq ($(words $(LOWTIDE_HOME)),1)
# make takes such a path for several, and what it deletes for a folder beside ours.
$(error No spaces in the path of Lowtide, please: '$(LOWTIDE_HOME)'. Move the checkout, or name \
another folder for what it writes: make LOWTIDE_HOME=/path/without/spaces ...)
endif
CACHE := $(LOWTIDE_HOME)/cache
VENV := $(LOWTIDE_HOME)/venv
BIN := $(VENV)/bin
READY := $(VENV)/.synchronised

export UV_CACHE_DIR ?= $(CACHE)/uv
export UV_PYTHON_DOWNLOADS := never
export PYTHONPYCACHEPREFIX ?= $(CACHE)/pycache
# Whoever forbids bytecode means that beside the sources. Without any, each of a test run's
# processes compiles all modules anew, and pytest rewrites every test.
unexport PYTHONDONTWRITEBYTECODE

# What may still run knows nothing of the environment: made anew if it is gone, never brought up to
# date under living processes.
define IF_ANY_STACK
if test -d '$(LOWTIDE_HOME)/instances'; then \
	test -e $(READY) || $(MAKE) --no-print-directory $(READY) || exit; \
	$(BIN)/python -m deploy.local $(1); \
else echo '$(2)'; fi
endef

## run: start broker, database, all services and a demonstration; prints the console's address
.PHONY: run
run: $(READY)
	@$(BIN)/python -m deploy.local run

## link: print a new link that signs one person in to the console, once
.PHONY: link
link: $(READY)
	@$(BIN)/python -m deploy.local link

## down: end everything that runs; the data stays
.PHONY: down
down:
	@$(call IF_ANY_STACK,down,Nothing was running.)

## clean: end everything and delete the data
.PHONY: clean
clean:
	@$(call IF_ANY_STACK,clean,There is no data.)

## test: run every test; browser tests need a Chromium, the last line says when they were skipped
# What starts whole stacks comes alone, at the end: two of them at once would only wait for each
# other. Whatever a run has started lasts until its end: hence one for the browser's shops, which
# never stop selling, and one for what is killed. All else is shared by three processes on one broker
# and one database server.
KILLED := tests/e2e tests/faults
SEEN := tests/browser
.PHONY: test
test: $(READY)
	@failed=0; rm -f $(CACHE)/failed; \
	$(BIN)/python -m pytest --numprocesses=3 --dist=worksteal \
		$(KILLED:%=--ignore=%) $(SEEN:%=--ignore=%) || failed=$$?; \
	$(BIN)/python -m pytest $(KILLED) || failed=$$?; \
	$(BIN)/python -m pytest $(SEEN) || failed=$$?; \
	test $$failed = 0 || { echo 'Failed:'; cat $(CACHE)/failed; } >&2; \
	exit $$failed

## check: format, lint, types, import rules, dependencies
.PHONY: check
check: $(READY)
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --cache-dir $(CACHE)/import-linter
	@$(BIN)/deptry .

## replay: post a real year through the public interface; FILE=... [SPEED=...] [KILL=seed] [FRESH=1]
.PHONY: replay
replay: $(READY)
	@test -n '$(FILE)' || { \
		echo 'Which file? make replay FILE=path.parquet [SPEED=...] [KILL=seed]' >&2; exit 2; }
	@$(BIN)/python -m deploy.local.replays '$(FILE)' \
		$(if $(SPEED),--speed '$(SPEED)') $(if $(KILL),--kill '$(KILL)') $(if $(FRESH),--fresh)

## bench: every benchmark; the last line of each is one JSON object
.PHONY: bench
bench: bench-ledger bench-latency bench-http bench-recovery bench-memory bench-alerting \
	bench-notifier

## bench-ledger: stock changes per second, beside the bare database's; [OPTIONS='--only mix']
.PHONY: bench-ledger
## bench-latency: from a sale to its commit and to the request at a destination
.PHONY: bench-latency
## bench-http: events, levels, statements and reservations over HTTP
.PHONY: bench-http
## bench-recovery: catching up, claiming, a burst, a stocktake, a rebuild
.PHONY: bench-recovery
## bench-memory: resident memory of each process
.PHONY: bench-memory
## bench-alerting: level messages per second, by how many rules watch a level
.PHONY: bench-alerting
## bench-notifier: notices per second; a flood of alerts, and a destination that hangs
.PHONY: bench-notifier
bench-ledger bench-latency bench-http bench-recovery bench-memory bench-alerting \
bench-notifier: bench-%: $(READY)
	@$(BIN)/python -m tests.bench.$* $(OPTIONS)

## faults: kill, pause and cut off everything for a minute each; nothing may be lost; [SEED=...]
.PHONY: faults
faults: export LOWTIDE_FAULT_SECONDS ?= 60
faults: export LOWTIDE_TEST_DEPTH ?= 20
ifdef SEED
faults: export LOWTIDE_FAULT_SEED := $(SEED)
endif
faults: $(READY)
	@$(BIN)/python -m pytest tests/faults tests/integration/ledger/test_model.py \
		tests/unit/services/ledger --capture=no

## audit: look for known vulnerabilities among the locked dependencies (needs the network)
.PHONY: audit
audit: $(READY)
	@UV_TOOL_DIR=$(CACHE)/uv-tools $(BIN)/uv tool run pip-audit \
		--requirement requirements.lock --require-hashes --disable-pip

## lock: resolve the dependencies of pyproject.toml anew
.PHONY: lock
lock: $(READY)
	@$(BIN)/uv pip compile --quiet --upgrade --universal --generate-hashes --no-header \
		--group local --group dev --output-file requirements.lock pyproject.toml

## help: list the targets
.PHONY: help
help:
	@sed -n 's/^## \([^:]*\): \(.*\)/make \1|\2/p' $(firstword $(MAKEFILE_LIST)) | \
		awk -F'|' '{printf "  %-20s %s\n", $$1, $$2}'

# The environment: made once, brought up to date when a lock changes. uv comes first, with its
# own hashes, because it checks and installs the rest in seconds.
$(READY): requirements.lock deploy/local/bootstrap.lock
	@command -v '$(PYTHON)' >/dev/null || { \
		echo 'Lowtide needs Python 3.11 or newer; name it: make PYTHON=...' >&2; exit 1; }
	@'$(PYTHON)' -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Lowtide needs Python 3.11 or newer, this is $$('$(PYTHON)' -V);" \
			'name another: make PYTHON=...' >&2; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { \
		rm -rf '$(VENV)' && '$(PYTHON)' -m venv '$(VENV)'; } || { \
		rm -rf '$(VENV)'; \
		echo 'This Python cannot make virtual environments: install its venv module' \
			'(Debian, Ubuntu: apt-get install python3-venv).' >&2; exit 1; }
	@echo 'Installing the locked dependencies into $(VENV) ...'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes \
		--cache-dir $(CACHE)/pip --requirement deploy/local/bootstrap.lock
	@$(BIN)/uv pip sync --quiet --require-hashes --python $(BIN)/python requirements.lock
	@touch $@
