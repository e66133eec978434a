# Two commands set all up on a fresh machine with python3 and make: `make demo` and `make test`.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.PHONY: demo test check bench docs results real clean help

help:
	@echo "make demo    a fleet, the gateway and real traffic on this machine, in about a minute"
	@echo "make test    all tests"
	@echo "make real    install a real MLServer and Ray for the tests that need them"
	@echo "make check   style, types, import contract"
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

bench: $(STAMP)
	$(BIN)/python bench/run.py $(ONLY)

results: $(STAMP)
	$(BIN)/python bench/results.py

docs: $(STAMP)
	$(BIN)/python docs/generate.py

clean:
	rm -rf $(VENV) .envs bench/out bench/bin
