# Six verbs. `make demo` and `make test` need nothing but Python 3.11+ and make: they build their own environment.
PYTHON ?= python3
BIN := .venv/bin
export UV_PYTHON_DOWNLOADS := never

.PHONY: demo test check bench proof docs clean

demo: .venv/ready  ## the main job, on the embedded default
	$(BIN)/mainstay demo $(ARGS)

test: .venv/ready-dev  ## the fast suite
	$(BIN)/pytest -n 2 -m "not slow" $(ARGS)

check: .venv/ready-dev  ## style, types, house rules
	$(BIN)/ruff check src tests
	$(BIN)/ruff format --check src tests
	$(BIN)/mypy
	$(BIN)/pytest tests/house $(ARGS)

bench: .venv/ready-bench  ## every budget, as ratios measured in one run; writes docs/performance.md
	$(BIN)/python -m mainstay.proof.figures docs/performance.md $(ARGS)

proof: .venv/ready-dev  ## the slower proofs
	$(BIN)/pytest -m slow $(ARGS)

docs: .venv/ready-dev  ## the generated reference
	$(BIN)/python -m mainstay.app.reference docs/reference

# One environment, three sizes. Where Debian lacks ensurepip the zipapp of virtualenv's wheel makes it.
.venv/bin/uv:
	$(PYTHON) -m venv .venv 2>/dev/null || (rm -rf .venv && $(PYTHON) -m pip install --quiet --target .venv-boot virtualenv && PYTHONPATH=.venv-boot $(PYTHON) -m virtualenv --quiet .venv && rm -rf .venv-boot)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r locks/uv.txt

.venv/ready: locks/core.txt pyproject.toml | .venv/bin/uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r locks/core.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps -e .
	@touch $@

.venv/ready-dev: locks/dev.txt .venv/ready
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r locks/dev.txt
	@touch $@

.venv/ready-bench: locks/bench.txt .venv/ready
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r locks/bench.txt
	@touch $@

locks: pyproject.toml  ## resolve the dependencies anew
	uv pip compile -q --generate-hashes --no-header --no-annotate --no-emit-index-url --universal pyproject.toml -o locks/core.txt
	uv pip compile -q --generate-hashes --no-header --no-annotate --no-emit-index-url --universal pyproject.toml --group dev -c locks/core.txt -o locks/dev.txt
	uv pip compile -q --generate-hashes --no-header --no-annotate --no-emit-index-url --universal pyproject.toml --extra bench -c locks/core.txt -o locks/bench.txt

clean:
	rm -rf .venv .venv-boot .mypy_cache .ruff_cache
