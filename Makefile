# Everything a newcomer or CI needs, on Debian 12 with Python 3.11 and make; `make help` lists it.

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:
.NOTPARALLEL:
# Where this is set, each of the many processes that tests and demo start compiles everything anew: seconds each.
unexport PYTHONDONTWRITEBYTECODE

CONFIG ?= config.yaml
PYTHON ?= 3.11
UV_VERSION := 0.13.9
LOCAL_UV := .tools/uv-$(UV_VERSION)
# A uv on PATH may be a shim without a program behind it, so it is asked, not only looked for.
UV := $(if $(shell uv --version 2>/dev/null),uv,$(LOCAL_UV)/bin/uv)
LOCAL := $(filter-out uv,$(UV))
READY := .venv/.ready
# The tests run in two processes, each with its own PostgreSQL and Synapse, and the one that is done first takes over
# half of what the other has left. More than two gain nothing on two cores; ARGS="-n 0" is one process, as for --pdb.
TEST_SPREAD := -n 2 --dist worksteal
# Made by `make ldap`. That extra is compiled, which a first look at Muster should not need.
LDAP := .venv/.ldap
SYNC = $(UV) sync $$([ -t 2 ] || echo --quiet) --locked --extra demo --extra e2ee --extra s3 --extra timestamp \
    --python $(PYTHON)
BIN := .venv/bin

.PHONY: help venv ldap demo run test check bench clean

help: ## show this
	@echo 'usage: make TARGET'
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  \1\t\2/p' Makefile | expand -t 10

demo: $(READY) ## a company of 80 on a real Synapse; ONCE=1 ends by itself; ARGS="--people 200"
	@$(BIN)/muster demo $(if $(filter-out 0,$(ONCE)),--once) $(ARGS)

run: $(READY) ## the service; CONFIG=config.yaml
	@$(BIN)/muster run -c $(CONFIG) $(ARGS)

test: $(READY) ## every test: unit, integration, acceptance; ARGS="-k brake"
	@$(BIN)/python -m pytest $(TEST_SPREAD) $(ARGS)

check: $(READY) ## what CI refuses: format, lint, types, layers
	@$(BIN)/ruff format --check bridge tests bench
	@$(BIN)/ruff check bridge tests bench
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: $(READY) ## figures as JSON lines; ONLY=ingest for a part
	@$(BIN)/python -m bench $(ONLY)

venv: $(READY) ## only install what is needed, into .venv

ldap: $(READY) ## install the LDAP extra as well, which wants a compiler; the tests of LDAP want slapd
	@command -v gcc >/dev/null && [ -e /usr/include/ldap.h ] && [ -e /usr/include/sasl/sasl.h ] \
	|| { echo 'make: the LDAP extra is compiled; first: apt-get install' \
	          'gcc libc6-dev python3-dev libldap2-dev libsasl2-dev' >&2; exit 1; }
	@$(SYNC) --extra ldap >&2 && touch $(LDAP)

clean: ## remove what the other targets made
	rm -rf .venv .tools .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist
	find bridge tests bench -name __pycache__ -prune -exec rm -rf {} +

# Standard output belongs to the target: `make demo ONCE=1` ends with one JSON line. So set-up speaks on standard error.
$(READY): pyproject.toml uv.lock | $(LOCAL)
	@echo 'Installing the packages of uv.lock into .venv' >&2
	@$(SYNC) $(if $(wildcard $(LDAP)),--extra ldap) >&2
	@touch $@

# Debian splits venv and pip off Python; either will do.
$(LOCAL_UV)/bin/uv:
	@echo 'Installing uv $(UV_VERSION) into .tools' >&2
	@rm -rf $(LOCAL_UV) && mkdir -p .tools
	@{ python3 -m venv $(LOCAL_UV) && $(LOCAL_UV)/bin/python -m pip install uv==$(UV_VERSION); } >.tools/log 2>&1 \
	|| { rm -rf $(LOCAL_UV); python3 -m pip install --target $(LOCAL_UV) uv==$(UV_VERSION); } >>.tools/log 2>&1 \
	|| { rm -rf $(LOCAL_UV); \
	     if python3 -c 'import ensurepip' 2>/dev/null || python3 -m pip --version >/dev/null 2>&1; \
	     then echo "make: uv $(UV_VERSION) could not be installed: $$(tail -n 1 .tools/log) (all of it: .tools/log)"; \
	     else echo 'make: Python has neither venv nor pip, of which one is needed once;' \
	               'install it with: apt-get install python3-venv'; fi >&2; exit 1; }
