#!/bin/sh
# Write the hashed lock files with uv ($1), for every supported Python and platform at once.
# They carry no index lines: where packages come from is the installing machine's business.
set -eu

lock() {
    "$uv" pip compile --quiet --universal --python-version 3.11 --upgrade --generate-hashes \
        --no-emit-index-url --no-emit-find-links --no-annotate --no-header "$@"
}

uv=$1
lock pyproject.toml --output-file requirements.txt
lock pyproject.toml --constraints requirements.txt --group dev --output-file requirements-dev.txt
lock bench/requirements.in --output-file bench/requirements.txt
