# Six verbs. `make demo` and `make test` need nothing but Python 3.11+ and make: they build their own environment.
PYTHON ?= python3
BIN := .venv/bin
export UV_PYTHON_DOWNLOADS := never
# The machine's own certificates where it has any, as pip uses them: behind a proxy that inspects TLS uv's bundled ones refuse everything.
# https://docs.astral.sh/uv/concepts/authentication/certificates/ (until uv 0.11: UV_NATIVE_TLS)
export UV_SYSTEM_CERTS ?= $(if $(wildcard /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem),true,false)

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

proof: .venv/ready-dev  ## the slower proofs; writes docs/proofs.md
	PROOFS=docs/proofs.md $(BIN)/pytest -m "slow or proof" $(ARGS)

docs: .venv/ready-dev  ## the generated reference
	$(BIN)/python -m mainstay.app.reference docs/reference

# One environment, three sizes. Where Debian lacks ensurepip (python3-venv), the environment begins without pip and Python's own installs uv.
UV := install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r locks/uv.txt

.venv/bin/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Mainstay needs Python 3.11 or newer: make PYTHON=python3.12")'
	@$(PYTHON) -m venv .venv >/dev/null 2>&1 || $(PYTHON) -m venv --clear --without-pip .venv
	@$(BIN)/python -m pip $(UV) 2>/dev/null || $(PYTHON) -m pip --python $(BIN)/python $(UV) \
		|| { echo "uv could not be installed: is there a network, and pip? On Debian: apt install python3-venv" >&2; exit 1; }

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
	rm -rf .venv .mypy_cache .ruff_cache
