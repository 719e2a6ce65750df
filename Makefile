# Everything a developer does, each by one command. `make help` lists them.
PYTHON ?= python3
BIN := .venv/bin
UV := uv==0.13.9
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
# Programs start in half the time where Python may keep its bytecode, and tests start hundreds of them.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install demo test test-image test-large bench fuzz release lint format goldens constraints image runner-image training-image clean

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: .venv/installed ## make .venv with odahu-argo and all its tools in it

# uv installs in seconds what takes pip minutes; pip is there for a network where uv finds no registry.
.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -q --disable-pip-version-check "$(UV)" && $(BIN)/uv pip install -q --python $(BIN)/python -c constraints.txt -e '.[dev]' \
		|| $(BIN)/pip install -q -c constraints.txt -e '.[dev]'
	@touch $@

demo: install ## train the wine example on this machine, from its manifest to the zip in an S3 bucket
	$(BIN)/python examples/demo.py

test: install ## run the tests
	$(BIN)/python -m pytest -n 2 $(TESTS)

test-image: install ## build the images with buildah, and try them
	$(BIN)/python -m pytest -q -m image tests/image

test-large: install ## send and fetch 1 GiB by each protocol; tells time and memory
	$(BIN)/python -m pytest -q -m large tests/large

bench: install ## measure next to other programs, into docs/benchmarks.md; `ROWS=compile,size` picks rows
	$(BIN)/python -m tests.bench --rows "$(ROWS)"

FUZZ_SECONDS ?= 60

fuzz: install ## look for input that breaks loader or status, FUZZ_SECONDS each, side by side; `tests/fuzz` says what must hold
	@mkdir -p build/fuzz
	@$(BIN)/python -m tests.fuzz loader $(FUZZ_OPTIONS) >build/fuzz/loader.log 2>&1 & loader=$$!; \
	$(BIN)/python -m tests.fuzz status $(FUZZ_OPTIONS) >build/fuzz/status.log 2>&1 & status=$$!; \
	failed=0; wait $$loader || failed=1; wait $$status || failed=1; \
	grep -h '^Done' build/fuzz/*.log; \
	[ $$failed = 0 ] || { tail -n 40 build/fuzz/*.log; exit 1; }

FUZZ_OPTIONS = -max_total_time=$(FUZZ_SECONDS) -artifact_prefix=build/fuzz/

DIST ?= dist

release: install ## build wheel, source archive and SBOM into DIST, the same bytes wherever it is done
	mkdir -p $(DIST) && rm -f $(DIST)/odahu_argo-* $(DIST)/odahu-argo-* $(DIST)/SHA256SUMS
	SOURCE_DATE_EPOCH=$(SOURCE_DATE_EPOCH) $(BIN)/python -m build --no-isolation --outdir $(DIST) .
	$(BIN)/uv pip compile -q pyproject.toml --extra training --extra server --extra jupyter -c constraints.txt --universal --python-version 3.11 \
		--no-annotate --no-header | PYTHONWARNINGS=ignore $(BIN)/cyclonedx-py requirements - --pyproject pyproject.toml \
		--output-reproducible --of JSON -o $(DIST)/odahu-argo-$(VERSION).cdx.json
	cd $(DIST) && sha256sum odahu_argo-* odahu-argo-* >SHA256SUMS

lint: install ## check format, lint rules, types, the direction of imports and PyPI's advisories
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python .ci/audit.py

format: install ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

goldens: install ## write what examples compile to now as their goldens, and the command line's reference
	$(BIN)/python -m pytest -q tests/golden tests/docs --update-goldens

constraints: install ## resolve all dependencies anew and pin them
	$(BIN)/uv pip compile -q pyproject.toml --all-extras --universal --upgrade --python-version 3.11 --no-annotate --no-header -o constraints.txt

IMAGE ?= odahu-argo-runner:$(VERSION)
TRAINING_IMAGE ?= odahu-argo-training:$(VERSION)
BASE ?= python:3.12.15-slim-bookworm@sha256:54c85f3c47607a77f32adec749d3c81d1348bf25833671f512b26a9b6d778cb3
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct)

define build
@builder=$$(command -v buildah || command -v podman || command -v docker) \
	|| { echo "there is no buildah, podman or docker here" >&2; exit 1; }; \
case $$builder in \
	*docker) dated="--build-arg SOURCE_DATE_EPOCH=$(SOURCE_DATE_EPOCH)" ;; \
	*) dated="--timestamp $(SOURCE_DATE_EPOCH)" ;; \
esac; \
set -x; "$$builder" build $$dated --build-arg "BASE=$(BASE)" --build-arg "FOR=$(1)" $(IMAGE_OPTIONS) -f templates/Dockerfile -t "$(2)" .
endef

image: runner-image training-image ## build both images upon BASE, with buildah, podman or docker, whichever is there

runner-image: ## build IMAGE, which moves files and packages
	$(call build,runner,$(IMAGE))

training-image: ## build TRAINING_IMAGE, which trains
	$(call build,training,$(TRAINING_IMAGE))

clean: ## remove what was built, the environment included
	rm -rf .venv build dist
