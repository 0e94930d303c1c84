# make run: the page on http://127.0.0.1:7860. make test: every test. Each builds its own virtual environment.
# TORCH=cpu: torch without CUDA, from PyTorch's own index, which uv knows; see docs/install.md.
PYTHON ?= python3
BIN = .venv/bin
LOCK = $(if $(LOCKED),-c requirements.lock)

.PHONY: run test lint bench space soak oldest lock audit parts

run: .venv/app
	$(BIN)/python app.py --port 7860

test: .venv/dev
	$(BIN)/python -m pytest

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

bench: .venv/bench
	$(BIN)/python -m benchmarks

# What goes to a Hugging Face Space, in build/space, and whether it starts there.
space: .venv/dev
	rm -rf build/space
	$(BIN)/python -m deploy.space build/space

# Ten times as many broken files as the tests try, and 64 people for ten minutes.
soak: .venv/dev
	$(BIN)/python -m tests.fuzz 200000 --first 20000
	$(BIN)/python -m tests.soak --people 64 --minutes 10

# The lower bounds of all requirements, in build/oldest: what answers, opens, checks and serves.
oldest: .venv/dev
	$(BIN)/python -m pip install -q uv
	$(PYTHON) -m venv build/oldest
	$(BIN)/uv pip install -q --python build/oldest/bin/python --resolution lowest-direct -r requirements.txt -e '.[dev]'
	build/oldest/bin/python -m pytest tests/test_predict.py tests/test_images.py tests/test_checkpoint.py \
	    tests/test_hub.py tests/test_explain.py tests/test_engine.py tests/test_server.py tests/test_api.py

# One version of everything: make test LOCKED=1 takes those into a new .venv.
lock: .venv/dev
	$(BIN)/python -m pip install -q uv
	$(BIN)/uv pip compile -q --universal --python-version 3.10 --no-header --no-annotate --upgrade \
	    requirements.txt pyproject.toml --extra bulk --extra train --extra dev --extra mcp -o requirements.lock

# Known holes of what is installed; fails too where their database cannot be asked.
audit: .venv/supply
	$(BIN)/python -m deploy.audit

# The CycloneDX list of what is installed.
parts: .venv/supply
	mkdir -p build
	$(BIN)/cyclonedx-py environment --output-reproducible -o build/parts.cdx.json $(BIN)/python

.venv/supply: .venv/dev
	$(BIN)/python -m pip install -q -e '.[supply]'
	touch $@

.venv/app: requirements.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q --upgrade pip
	$(if $(TORCH),$(BIN)/python -m pip install -q uv)
	$(if $(TORCH),$(BIN)/uv pip install -q --python $(BIN)/python --torch-backend $(TORCH) torch torchvision)
	$(BIN)/python -m pip install -q -r requirements.txt $(LOCK)
	touch $@

.venv/dev: .venv/app pyproject.toml
	$(BIN)/python -m pip install -q -e '.[bulk,train,dev]' $(LOCK)
	touch $@

.venv/bench: .venv/dev
	$(BIN)/python -m pip install -q -e '.[bench]'
	touch $@
