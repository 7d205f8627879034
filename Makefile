# Every target sets up what it needs, in .venv and .servers inside this folder.
# demo: the reference architecture on loopback     test: every check, as CI runs it     bench: side by side with plain requests and peers

PY := .venv/bin/python
SETUP := pyproject.toml setup.cfg scripts/bootstrap.sh
# Worker processes of pytest; 0 runs the tests in one.
WORKERS ?= 2
PYTEST_ARGS ?=

.PHONY: demo test check bench bench-quick docs lint format servers clean distclean help
.DEFAULT_GOAL := help

help:
	@echo "make demo    the reference architecture on loopback, about a minute"
	@echo "make test    lint, docs and every test; installs the real servers it can"
	@echo "make bench   side-by-side figures"
	@echo "make lint | docs | format | servers | clean | distclean"

demo: .venv/.demo
	$(PY) -m interservice demo $(ARGS)

# Pytest comes last, so that its summary is the last line.
test: .venv/.dev servers lint docs
	$(PY) -m pytest -n $(WORKERS) --dist loadgroup $(PYTEST_ARGS)

bench: .venv/.bench
	$(PY) -m benchmarks $(ARGS)

bench-quick: .venv/.bench
	$(PY) -m benchmarks --quick --output build/bench $(ARGS)

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

.venv/.dev: $(SETUP)
	scripts/bootstrap.sh '.[demo,dns,fast,gateway,otel,prometheus,redis]' dev
	@touch $@ .venv/.demo

.venv/.bench: $(SETUP)
	scripts/bootstrap.sh '.[demo,fast]' bench
	@touch $@

clean:
	rm -rf build dist *.egg-info docs/_build demo-output .pytest_cache .hypothesis .mypy_cache .ruff_cache .import_linter_cache .coverage*
	find interservice tests examples benchmarks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

distclean: clean
	rm -rf .venv .servers
