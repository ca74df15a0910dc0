# One virtual environment, made once; every target sets up what it needs.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test test-slow test-all lint types check docs bench clean

demo: $(STAMP)  ## set everything up and audit the built-in subject "digits"
	$(BIN)/roadworthy audit digits --profile quick --fail-on error
	@echo
	@echo "This was a model with the flaws of a first attempt. Now your own:"
	@echo "  $(BIN)/roadworthy init data.parquet      looks at a table and asks what the model is for"
	@echo "  $(BIN)/roadworthy audit                  audits it; a default model is trained if you have none"
	@echo "  $(BIN)/roadworthy audit subject.py       a PyTorch model: README.md, 'Your own model in five minutes'"

test: $(STAMP)-test  ## set everything up and run the fast tests
	$(BIN)/python -m pytest -n auto --dist loadfile -m "not slow"

test-slow: $(STAMP)-test  ## the tests that take minutes
	$(BIN)/python -m pytest -n auto --dist load -m slow

test-all: test test-slow

lint: $(STAMP)-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)-test
	$(BIN)/pyright

check: lint types test  ## what continuous integration runs
	$(BIN)/python tests/size_signs.py

docs: $(STAMP)-test  ## renew the generated pages
	$(BIN)/python docs/generate.py

clean:
	rm -rf $(VENV) .roadworthy roadworthy-runs

# pip installs the pinned CPU build of torch first: resolved on its own, a newer torch would bring CUDA.
$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	touch $@

$(STAMP)-test: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test]'
	touch $@
