#!/bin/sh
# Write the hashed lock files with uv ($1), for every supported Python and platform at once.
# They carry no index lines: where packages come from is the installing machine's business.
set -eu

lock() {
    "$uv" pip compile --quiet --universal --python-version 3.11 --upgrade --generate-hashes \
        --no-emit-index-url --no-emit-find-links --no-annotate --no-header pyproject.toml "$@"
}

uv=$1
lock --output-file requirements.txt
lock --constraints requirements.txt --group dev --output-file requirements-dev.txt
