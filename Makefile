# The front door. Every target does its own set-up: system packages, .venv, the build; a second run rebuilds only what
# changed.
#
#   make demo          streams the digits through a trained LSTM
#   make test          all tests, in the three modes of the portable backend
#   make bench         the benchmarks, as a table of ratios
#   make lint format   checks and rewrites the source's form
#   make check-apple   compiles and links against Apple's SDK ($APPLE_SDK)
#   make debug asan    the native library unoptimised, or with sanitizers, and the native tests with it
#   make clean         removes what was built, but not .venv

PYTHON3 ?= python3
VENV = .venv
PYTHON = $(VENV)/bin/python
PIP = $(PYTHON) -m pip --disable-pip-version-check install --quiet
BUILT = build/.built

export PYMPS_WERROR = 1

SOURCES := setup.py native/Makefile $(wildcard native/*.mk pymps/*.py pymps/*.pyx pymps/*.pxd) \
           $(shell find native/include native/shim native/portable native/engine -type f)

.PHONY: demo test bench lint format check-apple debug asan build clean
.DELETE_ON_ERROR:

build: $(BUILT)

demo: $(BUILT) $(VENV)/.demo
	$(PYTHON) examples/digits/stream.py

# Inline, asynchronous, and with storage that the CPU can't see; then each benchmark once, untimed.
test: $(BUILT) $(VENV)/.test $(VENV)/.demo
	$(PYTHON) -m pytest bench --benchmark-disable --quiet
	PYMPS_PORTABLE_ASYNC=1 $(PYTHON) -m pytest tests -m "not modeless"
	PYMPS_PORTABLE_PRIVATE=1 $(PYTHON) -m pytest tests -m "not modeless"
	$(PYTHON) -m pytest tests

# A process measures one number of threads. BENCH chooses a part, as pytest's -k does: make bench BENCH="step and lstm"
BENCH_THREADS ?= 1 2
BENCH ?=
bench: $(BUILT) $(VENV)/.bench
	rm -f build/bench-*.json
	for threads in $(BENCH_THREADS); do BENCH_THREADS=$$threads $(PYTHON) -m pytest bench -k "$(BENCH)" --quiet \
	    --benchmark-quiet --benchmark-max-time=0.1 --benchmark-json=build/bench-$$threads.json || exit; done
	$(PYTHON) -m bench.report build/bench-*.json

lint: $(VENV)/.test
	$(PYTHON) -m pytest tests/test_sourcecode.py

format: $(VENV)/.test
	$(PYTHON) -m ruff check --fix-only --quiet .
	$(PYTHON) -m ruff format --quiet .
	git ls-files '*.c' '*.h' '*.m' '*.cc' | xargs $(VENV)/bin/clang-format -i

check-apple: build/.packages
	$(MAKE) --no-print-directory -C native check-apple WERROR=1

debug: build/.packages
	$(MAKE) --no-print-directory -C native test WERROR=1 CONFIG=debug

asan: build/.sanitizers
	$(MAKE) --no-print-directory -C native test WERROR=1 CONFIG=address

$(BUILT): $(SOURCES) build/.packages $(VENV)/.package
	$(PYTHON) setup.py --quiet build_ext --inplace
	@touch $@

build/.packages: native/packages.sh
	@mkdir -p build
	@PYTHON3=$(PYTHON3) native/packages.sh
	@touch $@

build/.sanitizers: build/.packages
	@CONFIG=address PYTHON3=$(PYTHON3) native/packages.sh
	@touch $@

$(VENV)/.venv: build/.packages
	$(PYTHON3) -m venv $(VENV)
	$(PIP) --upgrade pip
	@touch $@

$(VENV)/.package: pyproject.toml setup.py $(VENV)/.venv
	@echo "Building pymps (a minute or two the first time)"
	$(PIP) $$($(PYTHON) -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"])')
	$(PIP) --no-build-isolation --editable .
	@touch $@

$(VENV)/.demo $(VENV)/.test $(VENV)/.bench: $(VENV)/.%: pyproject.toml $(VENV)/.package
	$(PIP) $$($(PYTHON) -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["$*"])')
	@touch $@

clean:
	rm -rf build pymps/*.so pymps/*.dylib pymps/*.c pymps/include
