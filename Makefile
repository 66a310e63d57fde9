# Every target works on a fresh clone: `setup` makes .venv and is quick when nothing changed. TORCH_INDEX=... names the
# package index for torch; without it a machine without an NVIDIA card gets the small torch for the CPU.
PYTHON ?= python3
PORT ?= 8787
SEED ?= 1
BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: setup cuda axe prometheus install lock demo test test-install check format bench soak mutants fault-matrix screenshots audit clean

setup: .venv/.installed

.venv/.installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Vivant needs Python 3.11 or newer; set PYTHON=python3.11")'
	$(PYTHON) -m scripts.install dev
	touch .venv/.demo $@

# What the demo needs, without the tests' tools.
.venv/.demo: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Vivant needs Python 3.11 or newer; set PYTHON=python3.11")'
	$(PYTHON) -m scripts.install demo
	touch $@

# Replaces a torch for the CPU, as a machine without an NVIDIA card gets it, by the one with CUDA.
cuda: setup
	$(PYTHON) -m scripts.install cuda

# For a server: only what runs, each file by its hash. The lock is for Linux on x86-64 and torch with CUDA.
install:
	$(PYTHON) -c 'import platform, sys; sys.exit((platform.system(), platform.machine()) != ("Linux", "x86_64") and "requirements.lock is for Linux on x86-64; use make setup here.")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --require-hashes --only-binary :all: --requirement requirements.lock
	$(BIN)/python -m pip install --no-deps --no-build-isolation --editable .

# Needs uv. Run it after a change to the dependencies or to constraints.txt.
lock:
	uv pip compile pyproject.toml --extra demo --constraint constraints.txt --universal --generate-hashes \
		--no-annotate --quiet --custom-compile-command "make lock" --output-file requirements.lock

demo: .venv/.demo
	$(BIN)/python -m bot demo --port $(PORT)

# The accessibility checker for the tests of the demo's page; without npm they are skipped, and say so.
AXE := .axe/node_modules/axe-core/axe.min.js
axe: $(AXE)
$(AXE):
	npm install --silent --no-save --no-package-lock --prefix .axe axe-core@4.14.1

# Prometheus for the tests of deploy/monitoring/, from Debian's package and not installed; without it they are skipped, and say so.
PROMETHEUS := .prometheus/usr/bin/prometheus
prometheus: $(PROMETHEUS)
$(PROMETHEUS):
	mkdir -p .prometheus
	cd .prometheus && apt-get download -qq prometheus && dpkg-deb --extract prometheus_*.deb . && rm prometheus_*.deb

test: setup
	$(BIN)/python -m pytest -n 2 --dist loadfile

# Builds the container and tries it: minutes, root, and Debian's mmdebstrap, buildah and runc. TORCH=cuda builds the large one.
test-install: setup
	$(BIN)/python -m scripts.container --torch $(or $(TORCH),cpu)

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup
	$(BIN)/python -m tests.benchmarks all

# The figures with their seeds and the commit are at its end: those of the README.
soak: setup
	$(BIN)/python -m pytest -m soak --timeout 0 -v

fault-matrix: setup
	$(BIN)/python -m tests.faults.matrix

# At most an hour. Which tests notice a change of the code; AREAS="queue work" tries a part, SEED=2 draws others.
mutants: setup
	nice -n 10 $(BIN)/python -m scripts.mutants $(AREAS) --seed $(SEED)

audit: setup
	$(BIN)/python -m scripts.picture_audit "$(PICTURES)"

screenshots: setup
	$(BIN)/python -m scripts.screenshots

clean:
	rm -rf .venv .axe .prometheus .pytest_cache .mypy_cache .ruff_cache demo-out
