# Two commands matter: `make demo` and `make test`. Both set up .venv themselves.
PYTHON ?= $(firstword $(foreach p,python3 python3.13 python3.12 python3.11,$(if $(shell $(p) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo yes),$(p))))
BIN := .venv/bin
# pytest loads numpy before the package can cap its threads; two pools on two cores slow each other tenfold.
export OMP_NUM_THREADS ?= 1
# The tests of a file share what is expensive to make, so a file goes to one worker, in the order of tests/conftest.py.
WORKERS := -n auto --dist loadfile --no-loadscope-reorder

.PHONY: demo test test-long lint bench pictures lock clean

demo: .venv/runtime
	$(BIN)/groundswell demo
	@echo "The command is in $(BIN): type \`. $(BIN)/activate\` first."

test: lint
	$(BIN)/pytest $(WORKERS) -m "not slow"

test-long: .venv/dev
	$(BIN)/pytest $(WORKERS)

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/dev
	$(BIN)/python -m bench

# The screenshots of docs/pictures, made by the browser tests.
pictures: .venv/dev
	GROUNDSWELL_PICTURES=1 $(BIN)/pytest -q tests/browser -k pictures

.venv/created:
	@test -n "$(PYTHON)" || { echo "error: no Python 3.11 or newer found"; echo "hint: install one, or say which: make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -m venv .venv || { echo "hint: on Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	@touch $@

.venv/runtime: .venv/created requirements.lock pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

.venv/dev: .venv/runtime requirements-dev.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

# Re-pins everything; needs uv.
lock:
	printf 'hatchling\neditables\n' | uv pip compile --quiet --universal --fork-strategy fewest --generate-hashes --no-emit-index-url --no-header --no-annotate --python-version 3.11 pyproject.toml - -o requirements.lock
	uv pip compile --quiet --universal --fork-strategy fewest --generate-hashes --no-emit-index-url --no-header --no-annotate --python-version 3.11 --constraint requirements.lock --extra dev pyproject.toml -o requirements-dev.lock

clean:
	rm -rf .venv .venv-mlflow groundswell-data
