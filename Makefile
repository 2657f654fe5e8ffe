# `make demo` and `make test` are all that a fresh machine with Python 3.11 or later needs.
PYTHON ?= python3
RUN := .venv/bin/python
OUT ?= out

.PHONY: help demo test check lint types unit clean

help:
	@echo "make demo       compare the strategies on real pass rates, write $(OUT)/demo/report.html"
	@echo "make test       all that CI runs: lint, format, types, tests, notebooks (also make check)"
	@echo "make clean      remove the environment and everything that was made"

demo: .venv/core
	$(RUN) -m passband compare --out "$(OUT)/demo"

test: lint types unit

check: test

lint: .venv/dev
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .

types: .venv/dev
	$(RUN) -m pyright

unit: .venv/dev
	$(RUN) -m pytest -n 2 --dist worksteal --nbmake

# What is installed is marked by a file, made again when the lists of packages change.
.venv/core: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "passband needs Python 3.11 or later: make PYTHON=python3.11 ...")'
	test -x $(RUN) || $(PYTHON) -m venv .venv
	$(RUN) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

.venv/dev: .venv/core
	$(RUN) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	touch $@

clean:
	rm -rf .venv "$(OUT)" build dist .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
