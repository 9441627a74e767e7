# make demo: compress photographs with the shipped weights.
# make test: style, imports, tests. make test-all: the slow ones too. Both end with
# the 15 that took longest, so that growth is seen.
# Both make their own .venv; PYTHON=... chooses the interpreter.

PYTHON ?= $(shell for p in python3.11 python3.10 python3.9 python3; do \
	$$p -c 'import sys; sys.exit(not (3, 9) <= sys.version_info[:2] <= (3, 11))' \
	2>/dev/null && { echo $$p; break; }; done)
BIN = .venv/bin

.PHONY: demo test test-all install clean

demo: .venv/demo.stamp
	$(BIN)/tfcm demo

test: .venv/test.stamp
	$(BIN)/ruff check .
	$(BIN)/python -m pytest -n 2 --dist loadgroup --durations=15 -m "not slow"

test-all: .venv/test.stamp
	$(BIN)/python -m pytest -n 2 --dist loadgroup --durations=15

install: .venv/demo.stamp

.venv/%.stamp: setup.py | .venv/bin/python
	$(BIN)/python -m pip install --quiet --editable '.[$*]'
	@touch $@

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "TensorFlow Compression needs Python 3.9, 3.10 or 3.11, and none is on the PATH; name one with make PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv .venv

clean:
	rm -rf .venv build dist *.egg-info .pytest_cache .ruff_cache demo
