# The front door. Every target does its own set-up: system packages, .venv, the build; a second run rebuilds only what
# changed.
#
#   make demo          streams the digits through a trained LSTM
#   make train-demo    trains the same network on digits, and streams with what it learned
#   make image-demo    predicts how moving digits go on, with a trained convolutional LSTM
#   make test          all tests, in the three modes of the portable backend and on each instruction set
#   make test-neon     of these the engine's own on NEON, under an emulator
#   make bench         the benchmarks, as a table of ratios
#   make bench-breakdown  where the time of one step goes, part by part
#   make bench-jitter  the slowest of a million steps, and the first step of a stream
#   make bench-c       a step from C and Cython, and RTNeural's ($RTNEURAL_DIR)
#   make bench-check   whether pymps is slower than bench/baseline.json says, which make bench-baseline writes
#   make bench-plot    draws what make bench and make bench-jitter saved (docs/*.svg)
#   make lint format   checks and rewrites the source's form
#   make check-apple   compiles and links against Apple's SDK ($APPLE_SDK)
#   make debug asan    the native library unoptimised, or with sanitizers, and the native tests with it
#   make tsan          the engine's tests with the sanitizer of threads
#   make clean         removes what was built, but not .venv

PYTHON3 ?= python3
VENV = .venv
PYTHON = $(VENV)/bin/python
PIP = $(PYTHON) -m pip --disable-pip-version-check install --quiet
BUILT = build/.built

export PYMPS_WERROR = 1

SOURCES := setup.py native/Makefile $(wildcard native/*.mk pymps/*.py pymps/*.pyx pymps/*.pxd) \
           $(shell find native/include native/shim native/portable native/engine -type f)

# The numbers are tested on these too where the machine has them, besides the one that it takes by itself.
TARGETS = AVX2 SSE4
NUMBERS = $(patsubst %,tests/test_%.py,lstm gru single_gate neurons precision quantized bytes sequences stacks stream \
                                       bidirectional_numbers archived_numbers image_numbers image_sequences \
                                       image_bidirectional)

# Of `make test`, the longest first.
PARTS = test-inline test-neon test-async test-private test-targets test-bench

.PHONY: demo train-demo image-demo test $(PARTS) $(TARGETS:%=test-%) bench bench-breakdown bench-jitter bench-c \
        bench-check bench-baseline bench-plot lint format check-apple debug asan tsan build clean
.DELETE_ON_ERROR:

build: $(BUILT)

demo: $(BUILT) $(VENV)/.demo
	$(PYTHON) examples/digits/stream.py

train-demo: $(BUILT) $(VENV)/.demo
	$(PYTHON) examples/digits/train_pymps.py --output build/digits_pymps.safetensors --plot build/digits_loss.png

image-demo: $(BUILT) $(VENV)/.demo
	$(PYTHON) examples/moving_digits/predict.py --output build/moving_digits.png

# Inline, asynchronous, and with storage that the CPU can't see; each benchmark once, untimed. The parts run side by side,
# as many as there are cores, and each shows its output when it ends.
test: $(BUILT) $(VENV)/.test $(VENV)/.demo
	$(MAKE) --no-print-directory --jobs=$$(getconf _NPROCESSORS_ONLN) $(SYNC) $(PARTS)

# The make of a Mac is older than this option.
SYNC = $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)

test-inline: $(BUILT) $(VENV)/.test
	$(PYTHON) -m pytest tests

test-async: $(BUILT) $(VENV)/.test
	PYMPS_PORTABLE_ASYNC=1 $(PYTHON) -m pytest tests -m "not modeless"

test-private: $(BUILT) $(VENV)/.test
	PYMPS_PORTABLE_PRIVATE=1 $(PYTHON) -m pytest tests -m "not modeless"

test-bench: $(BUILT) $(VENV)/.test
	$(PYTHON) -m pytest bench --benchmark-disable --quiet

test-targets: $(TARGETS:%=test-%)
$(TARGETS:%=test-%): test-%: $(BUILT) $(VENV)/.test
	@export PYMPS_PORTABLE_TARGET=$*; \
	if $(PYTHON) -c 'import pymps; pymps.Device("portable")' 2>/dev/null; then $(PYTHON) -m pytest $(NUMBERS); \
	else echo "skipped: the numbers on $*, which this machine lacks"; fi

test-neon: build/.packages
	$(MAKE) --no-print-directory -C native test-neon WERROR=1

# A process measures one number of threads. BENCH chooses a part, as pytest's -k does: make bench BENCH="step and lstm"
BENCH_THREADS ?= 1 2
BENCH ?=
bench: $(BUILT) $(VENV)/.bench
	rm -f build/bench-*.json
	for threads in $(BENCH_THREADS); do BENCH_THREADS=$$threads $(PYTHON) -m pytest bench -k "$(BENCH)" --quiet \
	    --benchmark-quiet --benchmark-max-time=0.1 --benchmark-json=build/bench-$$threads.json || exit; done
	$(PYTHON) -m bench.report build/bench-*.json

bench-breakdown: $(BUILT) $(VENV)/.bench
	$(PYTHON) -m bench.breakdown
	@$(MAKE) --no-print-directory --silent -C native bench-call-path WERROR=1

bench-jitter: $(BUILT) $(VENV)/.bench
	$(PYTHON) -m bench.jitter --json=build/jitter.json

bench-c: $(BUILT) $(VENV)/.bench
	$(PYTHON) -m bench.native_step

bench-check: $(BUILT) $(VENV)/.bench
	$(PYTHON) -m bench.check

bench-baseline: $(BUILT) $(VENV)/.bench
	$(PYTHON) -m bench.check --write

bench-plot: $(VENV)/.bench
	$(PYTHON) -m bench.plot build/bench-1.json build/jitter.json docs

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

# A test forks a process that has threads, and the child starts its own.
tsan: build/.sanitizers
	TSAN_OPTIONS=die_after_fork=0 $(MAKE) --no-print-directory -C native test-engine WERROR=1 CONFIG=thread

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
