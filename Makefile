# The two commands a person needs: `make run` and `make test`. Every target uses .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8501

.DEFAULT_GOAL := help
.PHONY: help venv dev browser run demo samples check format test bench clean

help:  ## say what there is
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/.run: requirements.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing requirements.txt into $(VENV) (once; a few minutes the first time)"
	@# torch first: with it in place, nothing else pulls in another build of it.
	$(BIN)/pip install --quiet --disable-pip-version-check $$(grep '^torch==' requirements.txt)
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements-dev.txt requirements-variants.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@# All runtimes but OpenVINO, which is as large as two of the others; its tests skip without it.
	$(BIN)/pip install --quiet --disable-pip-version-check $$(grep '^[a-z]' requirements-variants.txt | grep -v '^openvino')
	@touch $@

venv: $(VENV)/.run  ## set up .venv

dev: $(VENV)/.dev

run: $(VENV)/.run  ## start the runner and the app, print the address
	@$(BIN)/python -m core start --port $(PORT)

demo: $(VENV)/.run  ## the same journey without a browser: search, run, ranking, exported folder
	@$(BIN)/python -m core demo

samples: $(VENV)/.run  ## rebuild the bundled models and data
	$(BIN)/python -m samples.make

check: $(VENV)/.dev  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

browser: $(VENV)/.dev  # a Chromium for the browser tests: the one that is there, else Debian's, else Playwright's own
	@$(BIN)/python -m tests.browser

test: check browser  ## every check and every test, the journey in a real browser included
	$(BIN)/python -m pytest -n 2 --dist loadgroup

BENCH_RESULTS ?= bench-results

bench: $(VENV)/.dev  ## measure the app and the engine, write docs/performance.md (an hour, on a quiet machine)
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-bench.txt
	$(BIN)/python -m bench.app
	$(BIN)/python -m bench.all --out $(BENCH_RESULTS)
	$(BIN)/python -m bench.page $(BENCH_RESULTS) --write

clean:
	rm -rf $(VENV)
