# Short names for the project's commands (https://just.systems). Every command also works without just.

set positional-arguments

# List the recipes.
default:
    @just --list

# Install Python and all packages.
setup:
    uv sync

# Run the whole system; options go to `musicgen up`.
up *options:
    uv run musicgen up "$@"

# Run the tests; options go to pytest.
test *options:
    uv run pytest "$@"

# Run every fault on real processes.
faults *options:
    uv run pytest -m faults "$@"

# Run the fuzzers on everything that parses.
fuzz *options:
    uv run pytest -m fuzz "$@"

# Check style, format and import contracts.
lint:
    uv run ruff check .
    uv run ruff format --check .
    uv run lint-imports

# Check types.
types:
    uv run mypy

# Build the documents as a site and serve it at http://127.0.0.1:8080.
site:
    uv run python -m deploy.site.build site
    uv run python -m http.server --bind 127.0.0.1 --directory site 8080

# Build the web page and the types of its client, after checking and testing them.
web:
    uv run bash gateway/http/web/tools/build.sh

# Measure the gateway, the pipeline, and the music and its files.
bench:
    uv run python -m bench.gateway
    uv run python -m bench.pipeline
    uv run python -m bench.grid

# Run everything that must pass before a change lands.
ci:
    bash .ci/run
