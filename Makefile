# `make check` before a commit: two minutes on two cores. `.ci/run` checks everything.
# VENV=path uses another environment than .venv.

VENV ?= .venv
PYTHON := $(VENV)/bin/python

.PHONY: check
check: $(PYTHON)
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy
	$(PYTHON) -m pytest -q -n auto --hypothesis-profile=fast -m "not slow and not pds"

$(PYTHON):
	@echo "There is no environment in $(VENV). Make one first:" >&2
	@echo "  python3 -m venv $(VENV) && $(VENV)/bin/pip install -r requirements-dev.txt" >&2
	@exit 1
