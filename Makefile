# Development commands. `make help` lists them.
PYTHON ?= python3
BIN := .venv/bin
UV := uv==0.13.9
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
# Tests start hundreds of programs, which start twice as fast with cached bytecode.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install demo test test-image test-large bench load fuzz release lint format goldens constraints image runner-image training-image controller-image clean

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: .venv/installed ## create .venv with odahu-argo and the development tools

# uv is much faster than pip. pip is the fallback for networks where uv finds no registry.
.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -q --disable-pip-version-check "$(UV)" && $(BIN)/uv pip install -q --python $(BIN)/python -c constraints.txt -e '.[dev]' \
		|| $(BIN)/pip install -q -c constraints.txt -e '.[dev]'
	@touch $@

demo: install ## train the wine example locally, from its manifest to a packed model in an S3 bucket
	$(BIN)/python examples/demo.py

test: install ## run the tests
	$(BIN)/python -m pytest -n 2 --dist worksteal $(TESTS)

test-image: install ## build the images with buildah and test them
	$(BIN)/python -m pytest -q -m image tests/image

test-large: install ## upload and download 1 GiB with each store; prints time and memory
	$(BIN)/python -m pytest -q -m large tests/large

bench: install ## compare with other programs and update docs/benchmarks.md; `ROWS=compile,size` selects rows
	$(BIN)/python -m tests.bench --rows "$(ROWS)"

FUZZ_SECONDS ?= 60

LOAD_OPTIONS ?=

load: install ## measure requests/s, latency and memory of the server; `LOAD_OPTIONS="--connections 64 --runs 20"` adds runs, `--cluster` uses KUBECONFIG
	$(BIN)/python -m tests.load $(LOAD_OPTIONS)

fuzz: install ## fuzz the manifest loader and the status mapper for FUZZ_SECONDS each
	@mkdir -p build/fuzz
	@$(BIN)/python -m tests.fuzz loader $(FUZZ_OPTIONS) >build/fuzz/loader.log 2>&1 & loader=$$!; \
	$(BIN)/python -m tests.fuzz status $(FUZZ_OPTIONS) >build/fuzz/status.log 2>&1 & status=$$!; \
	failed=0; wait $$loader || failed=1; wait $$status || failed=1; \
	grep -h '^Done' build/fuzz/*.log; \
	[ $$failed = 0 ] || { tail -n 40 build/fuzz/*.log; exit 1; }

FUZZ_OPTIONS = -max_total_time=$(FUZZ_SECONDS) -artifact_prefix=build/fuzz/

DIST ?= dist

release: install ## build a reproducible wheel, source archive and SBOM in DIST
	mkdir -p $(DIST) && rm -f $(DIST)/odahu_argo-* $(DIST)/odahu-argo-* $(DIST)/SHA256SUMS
	SOURCE_DATE_EPOCH=$(SOURCE_DATE_EPOCH) $(BIN)/python -m build --no-isolation --outdir $(DIST) .
	$(BIN)/uv pip compile -q pyproject.toml --extra training --extra server --extra jupyter -c constraints.txt --universal --python-version 3.11 \
		--no-annotate --no-header | PYTHONWARNINGS=ignore $(BIN)/cyclonedx-py requirements - --pyproject pyproject.toml \
		--output-reproducible --of JSON -o $(DIST)/odahu-argo-$(VERSION).cdx.json
	cd $(DIST) && sha256sum odahu_argo-* odahu-argo-* >SHA256SUMS

lint: install ## check format, lint rules, types, import rules and security advisories
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python .ci/audit.py

format: install ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

goldens: install ## update the golden files of the examples and the command line reference
	$(BIN)/python -m pytest -q tests/golden tests/docs --update-goldens

constraints: install ## update and pin all dependencies
	$(BIN)/uv pip compile -q pyproject.toml --all-extras --universal --upgrade --python-version 3.11 --no-annotate --no-header -o constraints.txt

IMAGE ?= odahu-argo-runner:$(VERSION)
TRAINING_IMAGE ?= odahu-argo-training:$(VERSION)
CONTROLLER_IMAGE ?= odahu-argo-controller:$(VERSION)
BASE ?= python:3.12.15-slim-bookworm@sha256:54c85f3c47607a77f32adec749d3c81d1348bf25833671f512b26a9b6d778cb3
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct)

define build
@builder=$$(command -v buildah || command -v podman || command -v docker) \
	|| { echo "no buildah, podman or docker found" >&2; exit 1; }; \
case $$builder in \
	*docker) options="--build-arg SOURCE_DATE_EPOCH=$(SOURCE_DATE_EPOCH)" ;; \
	*) options="--layers --timestamp $(SOURCE_DATE_EPOCH)" ;; \
esac; \
set -x; "$$builder" build $$options --build-arg "TIMESTAMP=$(SOURCE_DATE_EPOCH)" --build-arg "BASE=$(BASE)" --build-arg "FOR=$(1)" $(IMAGE_OPTIONS) -f templates/Dockerfile -t "$(2)" .
endef

image: runner-image training-image controller-image ## build all images with buildah, podman or docker

runner-image: ## build IMAGE, for checkout, downloads and package
	$(call build,runner,$(IMAGE))

training-image: ## build TRAINING_IMAGE, for train
	$(call build,training,$(TRAINING_IMAGE))

controller-image: ## build CONTROLLER_IMAGE, for the recorder and the API server
	$(call build,controller,$(CONTROLLER_IMAGE))

clean: ## remove build outputs and .venv
	rm -rf .venv build dist
