# Every target makes what it needs, from nothing but GNU make (3.81 will do), a POSIX shell and a Python >= 3.11: it finds
# the Python, makes an environment under .venv/ and installs into it; the first time this needs the network. An environment
# is complete when its stamp is there, and is made anew when pyproject.toml changes.
#
#     make PYTHON=/path/to/python3.12 test      chooses the Python

SHELL := /bin/sh
PYTHONS := python3 python3.14 python3.13 python3.12 python3.11

ENVIRONMENTS := demo test pandas2 bench docs
INSTALL_demo :=
EXAMPLE := tests/plugin_example
INSTALL_test := --editable $(EXAMPLE) --group test --group lint
INSTALL_bench := --group bench
INSTALL_docs := --group docs
INSTALL_pandas2 := --editable $(EXAMPLE) --group test 'pandas>=2.3,<3'

DEMO := .venv/demo/bin/python
TEST := .venv/test/bin/python
PANDAS2 := .venv/pandas2/bin/python
BENCH := .venv/bench/bin/python
DOCS := .venv/docs/bin/python

# What the caller's shell is set up for must not leak into our environments.
unexport VIRTUAL_ENV PYTHONPATH PYTHONHOME PIP_USER PIP_TARGET PIP_PREFIX MYPYPATH

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test lint test-new test-pandas2 docs bench clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' Makefile

demo: .venv/demo/.complete  ## impute the bundled real data and write the completed file
	@mkdir -p build/demo
	@survey=$$($(DEMO) -c "from emimpute import datasets; print(datasets.path('bfi'))") && \
	$(DEMO) -m emimpute impute "$$survey" -o build/demo/bfi_completed.csv --force && \
	$(DEMO) -c "$$SHOW_FILLS" "$$survey" build/demo/bfi_completed.csv

test: lint test-new test-pandas2 docs  ## all that a change must pass

lint: .venv/test/.complete  ## ruff (rules and format) and mypy
	$(TEST) -m ruff check
	$(TEST) -m ruff format --check
	$(TEST) -m mypy

test-new: .venv/test/.complete  ## tests, doctests and README blocks on the newest pandas
	PLUGIN_EXAMPLE=installed $(TEST) -m pytest -q

test-pandas2: .venv/pandas2/.complete  ## the same on pandas 2.3
	PLUGIN_EXAMPLE=installed $(PANDAS2) -m pytest -q

docs: .venv/docs/.complete  ## the pages and the notebooks, run and built in build/docs; warnings are errors
	@rm -rf build/docs
	$(DOCS) -m sphinx -q -W -E -j auto -d build/doctrees docs build/docs
	$(DOCS) tests/outside.py build/docs
	@echo "The pages are in build/docs/index.html."

bench: .venv/bench/.complete  ## the stopwatches of tests/benchmarks, beside the peers; with QUICK=1 on small tables only
	@for script in tests/benchmarks/[a-z]*.py; do \
		echo "== $$script"; $(BENCH) "$$script" || exit 1; \
	done

clean:  ## remove all that was made here
	rm -rf $(ENVIRONMENTS:%=.venv/%) build dist docs/brought .hypothesis .mypy_cache .pytest_cache .ruff_cache

# The example's entry points are read where it is installed.
.venv/test/.complete .venv/pandas2/.complete: $(EXAMPLE)/pyproject.toml

# The stamp comes last: an environment whose making was cut short has none, and is made anew.
$(ENVIRONMENTS:%=.venv/%/.complete): .venv/%/.complete: pyproject.toml
	@echo "Making the environment .venv/$* (once; needs the network)."
	@$(MAKE_ENVIRONMENT)
	@$(@D)/bin/python -m pip install --quiet --upgrade pip  # --group needs pip 25.1, and Python 3.11 brings an older one
	@$(@D)/bin/python -m pip install --quiet --editable . $(INSTALL_$*)
	@touch $@

# A candidate counts only if it runs (a pyenv shim may be on PATH and have no Python behind it) and can make an environment
# that has pip; a failed attempt may leave half a folder (Debian without python3-venv does), so each one starts from none.
define MAKE_ENVIRONMENT
try() { rm -rf $(@D); "$$@" >/dev/null 2>&1 && $(@D)/bin/python -m pip --version >/dev/null 2>&1; }; \
unable=; \
for candidate in $(if $(PYTHON),"$(PYTHON)",$(PYTHONS)); do \
	python=$$("$$candidate" -c 'import sys; print(sys.executable); sys.exit(sys.version_info < (3, 11))' 2>/dev/null) \
		|| continue; \
	try "$$python" -m venv $(@D) && exit 0; \
	try uv venv --seed --python "$$python" $(@D) && exit 0; \
	try virtualenv --python "$$python" $(@D) && exit 0; \
	try "$$python" -m virtualenv $(@D) && exit 0; \
	unable=$${unable:-$$python}; \
done; \
rm -rf $(@D); \
if test -n "$$unable"; then \
	echo "$$unable cannot make an environment: install its venv module (Debian, Ubuntu: apt install python3-venv), or uv, or virtualenv." >&2; \
else \
	echo "$(if $(PYTHON),$(PYTHON) is no,Nothing on PATH is a) Python 3.11 or newer that runs: install one, or name it with make PYTHON=/path/to/python3." >&2; \
fi; \
exit 1
endef

define SHOW_FILLS
import sys
import pandas as pd
survey, done = (pd.read_csv(path) for path in sys.argv[1:])
rows, columns = survey.isna().to_numpy().nonzero()
filled = [done.iat[cell] for cell in zip(rows, columns)]
fills = pd.DataFrame({"row": rows, "column": survey.columns[columns], "filled with": filled})
print(f"\n{len(fills):,} gaps in {len(set(rows)):,} of {len(survey):,} rows, {done.isna().to_numpy().sum()} left. The first:")
print(fills.head(8).to_string(index=False))
print(f"The completed file is {sys.argv[2]}.")
endef
export SHOW_FILLS
