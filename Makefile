# Two commands set all up on a fresh machine with python3 and make: `make demo` and `make test`.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.PHONY: demo test test-compiled check bench wheel docs results real clean help

help:
	@echo "make demo    a fleet, the gateway and real traffic on this machine, in about a minute"
	@echo "make test    all tests"
	@echo "make real    install a real MLServer and Ray for the tests that need them"
	@echo "make check   style, types, import contract"
	@echo "make test-compiled  what the wheel holds compiled, tested as it is delivered"
	@echo "make wheel   a wheel with the hot path compiled to C, in dist/ (needs gcc)"
	@echo "make bench   all benchmarks, rivals beside ours  (ONLY=name for one)"
	@echo "make docs    write the generated reference again"

$(STAMP): requirements/dev.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(STAMP)

demo: $(STAMP)
	$(BIN)/flyball demo $(if $(TRACE),--trace $(TRACE))

# A real MLServer, in an environment of its own (about 530 MB), for the tests that talk to one.
.envs/mlserver/.installed: $(STAMP)
	$(BIN)/python tests/real/env.py mlserver
	@touch $@

# Ray, for the tests of sweeps on many machines (about 410 MB).
.envs/ray/.installed: $(STAMP)
	$(BIN)/python tests/real/env.py ray
	@touch $@

real: .envs/mlserver/.installed .envs/ray/.installed

test: $(STAMP)
	$(BIN)/python -m pytest $(ARGS)

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/python docs/generate.py --check

# The same sources with the hot path compiled: a wheel in dist/, and an installed copy of it that
# PYTHONPATH can point benchmarks and tests at. The build writes beside its sources, hence the copy.
COMPILED := .envs/compiled
$(COMPILED)/.installed: $(STAMP) $(shell find src -name '*.py')
	rm -rf .envs/wheel $(COMPILED) dist/flyball-*.whl
	mkdir -p .envs/wheel
	cp -r src pyproject.toml README.md .envs/wheel/
	cd .envs/wheel && HATCH_BUILD_HOOKS_ENABLE=1 ../../$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation -w ../../dist .
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --target $(COMPILED) dist/flyball-*.whl
	@touch $@

wheel: $(COMPILED)/.installed

# What is core, parser, relay or log runs once more as it is delivered: compiled.
test-compiled: $(COMPILED)/.installed
	PYTHONPATH=$(CURDIR)/$(COMPILED) $(BIN)/python -m pytest $(ARGS) tests/playbooks tests/parity \
	  tests/golden tests/integration/test_relay_http_safety.py tests/unit/governor tests/unit/dialects \
	  tests/unit/ledger tests/unit/serve/relay tests/unit/serve/log tests/test_compiled.py

# BUILD=interpreted measures the sources as they are.
bench: $(if $(filter interpreted,$(BUILD)),$(STAMP),$(COMPILED)/.installed)
	$(if $(filter interpreted,$(BUILD)),,PYTHONPATH=$(CURDIR)/$(COMPILED)) $(BIN)/python bench/run.py $(ONLY)

# BUDGET = seconds in which missing runs of the capacity tables may begin; 0 only writes the pages.
results: $(STAMP)
	$(BIN)/python bench/results.py
	$(BIN)/python docs/results/make_capacity.py --budget $(or $(BUDGET),0)

docs: $(STAMP)
	$(BIN)/python docs/generate.py

clean:
	rm -rf $(VENV) .envs bench/out bench/bin
