# Every target works on a fresh clone: `setup` makes .venv with the bot and the demo, `dev` adds what the tests need; both are
# quick when nothing changed. TORCH_INDEX=... names the package index for torch; without it a machine without an NVIDIA card
# gets the small torch for the CPU.
PYTHON ?= python3
PORT ?= 8787
SEED ?= 1
BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: setup dev cuda axe prometheus install lock wheel demo docs docs-serve reference test test-install check format bench soak mutants fault-matrix screenshots audit clean

setup: .venv/.demo

dev: .venv/.installed

.venv/.installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Vivant needs Python 3.11 or newer; set PYTHON=python3.11")'
	$(PYTHON) -m scripts.install dev
	touch .venv/.demo $@

# What runs, without the tests' tools.
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

# The wheel appears in dist/; its name has the version.
wheel: setup
	rm -rf build/lib build/bdist.* dist
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

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

# Three processes keep two cores busy: each waits now and then for a child, a clock or a disk. tests/conftest.py has the order.
test: dev
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

# Follows the pages that install, in a bare Debian, then builds the container and tries it: minutes, root, and Debian's
# mmdebstrap, buildah and runc. TORCH=cuda builds the large container.
test-install: dev
	$(BIN)/python -m scripts.paths
	$(BIN)/python -m scripts.container --torch $(or $(TORCH),cpu)

# The pages that are written from the code.
reference: dev
	$(BIN)/python -m scripts.site

# The site appears in build/site. Nothing is fetched from elsewhere, neither here nor by a reader's browser.
# The variable hides the theme's notice about its successor: it is looked after until May 2027.
docs: dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

# Its search needs a server: from the folder alone the pages work, and the search does not.
docs-serve: docs
	$(BIN)/python -m http.server --bind 127.0.0.1 --directory build/site 8000

check: dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: dev
	$(BIN)/python -m tests.benchmarks all

# The figures with their seeds and the commit are at its end: those of the README.
soak: dev
	$(BIN)/python -m pytest -m soak --timeout 0 -v

fault-matrix: dev
	$(BIN)/python -m tests.faults.matrix

# At most an hour. Which tests notice a change of the code; AREAS="queue work" tries a part, SEED=2 draws others.
mutants: dev
	nice -n 10 $(BIN)/python -m scripts.mutants $(AREAS) --seed $(SEED)

audit: dev
	$(BIN)/python -m scripts.picture_audit "$(PICTURES)"

screenshots: dev
	$(BIN)/python -m scripts.screenshots

clean:
	rm -rf .venv .axe .prometheus .pytest_cache .mypy_cache .ruff_cache demo-out
