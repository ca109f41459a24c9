# gracefuzz from a fresh clone: `make demo` shows it, `make test` checks it.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
TOOLS := .tools
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check --no-input -c constraints.txt

# Tests find promtool on the PATH, whether the system has it or $(TOOLS).
export PATH := $(CURDIR)/$(TOOLS)/usr/bin:$(PATH)

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup demo test fast lint types imports faults roles soak bench bench-schedulers system-packages release clean

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r name text; do \
		printf '  make %-16s %s\n' "$$name" "$$text"; done

setup: $(STAMP) ## create .venv with the pinned packages

# The build tools come from constraints.txt too, hence no isolation.
$(STAMP): pyproject.toml constraints.txt
	@echo "setting up $(VENV) (some 700 MB, about a minute)"
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) pip setuptools
	@$(PIP) --no-build-isolation -e '.[dev]'
	@$(BIN)/python -m compileall -q model storage workers service
	@touch $@

# A Python that cannot even import gracefuzz exits with 1 too: the list shows that it was a finding.
demo: setup ## find, minimize and store the race of thp_split: 20 seconds, then the proofs
	@status=0; $(BIN)/gracefuzz fuzz thp_split --time 20 --db gracefuzz.db || status=$$?; \
	case $$status in \
	1) $(BIN)/gracefuzz failures list --db gracefuzz.db && \
		echo "The race was found, minimized and stored in gracefuzz.db." ;; \
	0) echo "The demo ended without finding the race of thp_split." >&2; exit 1 ;; \
	*) exit $$status ;; \
	esac

test: setup system-packages lint types imports ## everything that CI runs
	@$(BIN)/pytest -n 2 --dist worksteal

fast: setup lint types ## lint, types and the tests that are not slow
	@$(BIN)/pytest -n 2 --dist worksteal -m "not slow"

lint: setup ## ruff
	@$(BIN)/ruff check .

types: setup ## mypy --strict
	@$(BIN)/mypy

imports: setup ## the layering: import-linter
	@$(BIN)/lint-imports --no-logo

faults: setup system-packages ## kill -9 of coordinators, servers, Ray's nodes; full disks, servers away
	@GRACEFUZZ_KILLS=50 $(BIN)/pytest -q tests/end_to_end/test_faults.py
	@GRACEFUZZ_KILLS=20 $(BIN)/pytest -q tests/end_to_end/test_cluster.py tests/end_to_end/test_network.py

roles: setup system-packages ## every role of deploy/ on hosts in network namespaces; root, four minutes
	@$(BIN)/pytest -q tests/end_to_end/roles.py

soak: setup ## 20 minutes of a coordinator with canaries: memory, leases, figures as JSON; SOAK_SECONDS=N
	@$(BIN)/python -m tests.end_to_end.soak $(or $(SOAK_SECONDS),1200)

bench: setup ## the figures of the engine, as a table
	@$(BIN)/gracefuzz bench

bench-schedulers: setup ## schedules to the first violation, by scheduler and benchmark program
	@$(BIN)/python -m tests.programs.benchmark.report

# prometheus is unpacked, not installed: installing it would start a server. That of postgresql is
# told not to be made; tests start their own.
system-packages: ## promtool (into .tools), gcc, spin, postgresql, where missing (Debian, root)
	@missing=""; install=""; \
	command -v promtool >/dev/null || missing="$$missing prometheus"; \
	command -v gcc >/dev/null || { missing="$$missing gcc"; install="gcc libc6-dev"; }; \
	command -v spin >/dev/null || { missing="$$missing spin"; install="$$install spin"; }; \
	ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || { \
		missing="$$missing postgresql"; install="$$install postgresql"; }; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then \
		echo "missing, and to be installed by hand:$$missing" >&2; exit 0; fi; \
	set -e; apt-get update -qq; \
	case "$$install" in *postgresql*) \
		mkdir -p /etc/postgresql-common; \
		[ -e /etc/postgresql-common/createcluster.conf ] || \
			echo "create_main_cluster = false" > /etc/postgresql-common/createcluster.conf ;; \
	esac; \
	if [ -n "$$install" ]; then \
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$install >/dev/null; \
	fi; \
	case "$$missing" in *prometheus*) \
		mkdir -p $(TOOLS); cd $(TOOLS); \
		apt-get download -qq -o APT::Sandbox::User=root prometheus; \
		dpkg -x prometheus_*.deb .; rm prometheus_*.deb ;; \
	esac

release: setup ## wheel, source distribution and bill of materials, into dist/
	@rm -rf dist
	@$(BIN)/python -m build --no-isolation --outdir dist . >/dev/null
	@$(BIN)/python deploy/sbom.py >dist/sbom.json
	@ls -l dist

clean: ## remove the environment, the tools and what they left behind
	@rm -rf $(VENV) $(TOOLS) build dist *.egg-info .hypothesis .import_linter_cache \
		.mypy_cache .pytest_cache .ruff_cache
	@find model storage workers service tests -name __pycache__ -type d -prune -exec rm -rf {} +
