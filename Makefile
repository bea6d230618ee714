# Needs make, a POSIX shell and Python 3.11 or newer; everything else is installed into .venv.

.POSIX:
.SUFFIXES:
.DELETE_ON_ERROR:
SHELL = /bin/sh
MAKEFLAGS += --no-print-directory

VENV = .venv
IN_VENV = $(VENV)/bin/python -m

# Most tests wait for servers, so two files run at a time. Those of ALONE kill things, or have bounds in
# time that another test beside them would use up: they come after, one by one.
WORKERS = 2
ALONE = tests/chaos tests/faults tests/attacks/test_slow.py tests/core/test_draining.py \
        tests/core/test_fanout.py tests/e2e/test_inspector.py

# A stamp carries the checksum of the lock files it was made from: another branch's lock file means
# another stamp, whatever the files' times say.
checksum = $(shell cat $(1) | cksum | cut -d ' ' -f 1)
RUN_STAMP = $(VENV)/run-$(call checksum,requirements.txt)
DEV_STAMP = $(VENV)/dev-$(call checksum,requirements.txt requirements-dev.txt)
BENCH_STAMP = $(VENV)-bench/run-$(call checksum,bench/requirements.txt)
NODE_STAMP = node_modules/stamp-$(call checksum,package-lock.json)

PIP_INSTALL = PIP_DISABLE_PIP_VERSION_CHECK=1 $(IN_VENV) pip install --quiet --require-hashes

.PHONY: help run test check format format-check lint types types-js test-js bench bench-scale \
        alarms audit screenshots bench-away bench-course bench-docs bench-guard bench-library bench-screen \
        bench-storm chaos locks texts venv
.DEFAULT_GOAL := help

help: ## Say what can be made.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s%s\n", $$1, $$2 }' Makefile

run: $(RUN_STAMP) ## Start Coursewire here: Valkey, database, demonstration data, server.
	@exec $(IN_VENV) flask serve

# Some tests load axe-core into a browser; without Node.js they are skipped, but not in CI.
TOOLS_IN_CI_true = node-tools

test: $(DEV_STAMP) $(TOOLS_IN_CI_$(CI)) ## Run the tests.
	@if [ -n '$(TESTS)' ]; then exec $(IN_VENV) pytest $(TESTS); fi; \
	failed=0; \
	$(IN_VENV) pytest --numprocesses $(WORKERS) --dist loadfile $(ALONE:%=--ignore=%) || failed=1; \
	$(IN_VENV) pytest $(ALONE) || failed=1; \
	exit $$failed

check: format-check lint types types-js test-js test ## All that CI checks: format, lint, types, browser code, tests.

format: $(DEV_STAMP) ## Format the Python code, and mend what the linter can mend.
	$(IN_VENV) ruff format .
	$(IN_VENV) ruff check --fix .

format-check: $(DEV_STAMP)
	$(IN_VENV) ruff format --check .

lint: $(DEV_STAMP) ## Lint the Python code.
	$(IN_VENV) ruff check .

types: $(DEV_STAMP) ## Check the types of the Python code.
	$(IN_VENV) mypy --strict

types-js: node-tools ## Check the types of the browser code (needs Node.js).
	@sh scripts/with_node.sh 'type check of the browser code' $(MAKE) node-types-js

test-js: node-tools ## Test the browser code outside a browser (needs Node.js).
	@sh scripts/with_node.sh 'tests of the browser code' $(MAKE) node-test-js

bench: $(DEV_STAMP) $(BENCH_STAMP) ## Measure the fan-out, beside other servers. N=1000: one size, shorter.
	BENCH_PYTHON=$(VENV)-bench/bin/python $(IN_VENV) bench.fanout

bench-scale: $(DEV_STAMP) ## Measure what the fan-out costs with more browsers, keys and workers.
	$(IN_VENV) bench.scale

bench-docs: ## Measure both in full, for docs/performance.md: tables, and plots in docs/images. Half an hour.
	$(MAKE) bench
	$(MAKE) bench-scale

bench-away: $(DEV_STAMP) ## Measure what a write costs more while Redis is away, and how soon all is well again.
	$(IN_VENV) bench.away

bench-screen: $(DEV_STAMP) ## Measure the time from a write to another browser's screen (needs Chromium).
	$(IN_VENV) bench.write_to_screen

chaos: $(DEV_STAMP) ## Kill workers and Redis at random under load. DURATION_S=40 SEED=7: shorter, again.
	$(IN_VENV) tests.chaos

bench-storm: $(DEV_STAMP) ## Measure one write after which everybody reads again. N=1000: one size.
	$(IN_VENV) bench.storm

alarms: $(DEV_STAMP) ## Let 10,000 random correct actions be judged: no false alarm. N=300: fewer. SEED=7: others.
	FRESHNESS_ACTIONS=$${N:-10000} FRESHNESS_SEED=$${SEED:-0} $(IN_VENV) pytest -q -s -o timeout=7200 \
	    tests/plugins/test_freshness.py

bench-library: $(DEV_STAMP) ## Measure what a library of 10,000 files and a course of 2,000 links cost. N=20 times each.
	$(IN_VENV) bench.library

bench-course: $(DEV_STAMP) ## Measure how quick the page of that course is to work on (needs Chromium). ROUNDS=5 visits.
	$(IN_VENV) bench.course

bench-guard: $(DEV_STAMP) ## Measure what the freshness guard costs an action: off, heal, strict.
	$(IN_VENV) bench.guard

audit: $(DEV_STAMP) ## Ask which locked packages have known holes (needs the network; without it, it says so).
	$(VENV)/bin/python scripts/audit.py

texts: $(DEV_STAMP) ## Bring the catalogues of all languages in step with the texts in the code.
	COURSEWIRE_PLUGINS=$$(ls plugins | grep -v '^__' | paste -s -d , -) $(IN_VENV) flask plugin texts

screenshots: $(DEV_STAMP) ## Take a picture of every screen in every state into var/screenshots. STATES='course library': those.
	@exec $(VENV)/bin/python scripts/screenshots.py $(STATES)

locks: $(DEV_STAMP) ## Write the lock files anew from pyproject.toml, with the newest versions.
	sh scripts/lock.sh $(VENV)/bin/uv

venv: $(DEV_STAMP) ## Make .venv with everything that development needs.

.PHONY: node-tools node-types-js node-test-js
# Once for all that need it, also when make runs several targets at a time.
node-tools:
	@sh scripts/with_node.sh 'installation of the Node.js tools' $(MAKE) $(NODE_STAMP)

node-types-js: $(NODE_STAMP)
	node_modules/.bin/tsc --project tsconfig.json

node-test-js: $(NODE_STAMP)
	node --test $$(find tests/js -name '*test*.js')

$(RUN_STAMP):
	@sh scripts/make_venv.sh $(VENV)
	@echo 'Installing what Coursewire needs into $(VENV)'
	@$(PIP_INSTALL) -r requirements.txt
	@rm -f $(VENV)/run-* && touch $@

$(DEV_STAMP):
	@sh scripts/make_venv.sh $(VENV)
	@echo 'Installing what the development of Coursewire needs into $(VENV)'
	@$(PIP_INSTALL) -r requirements-dev.txt
	@rm -f $(VENV)/run-* $(VENV)/dev-* && touch $(RUN_STAMP) $@

$(BENCH_STAMP):
	@sh scripts/make_venv.sh $(VENV)-bench
	@echo 'Installing what Coursewire is compared with into $(VENV)-bench'
	@PIP_DISABLE_PIP_VERSION_CHECK=1 $(VENV)-bench/bin/python -m pip install --quiet \
	    --require-hashes -r bench/requirements.txt
	@rm -f $(VENV)-bench/run-* && touch $@

$(NODE_STAMP):
	npm ci --no-audit --no-fund --loglevel=error
	@touch $@
