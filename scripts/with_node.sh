#!/bin/sh
# Run a command that needs Node.js and npm: with_node.sh WHAT COMMAND...
# Where they are missing: a skip that says so, and in CI a failure.
set -eu

what=$1
shift

if command -v node >/dev/null && command -v npm >/dev/null; then
    exec "$@"
fi
if [ "${CI:-}" = true ]; then
    echo "The $what needs Node.js and npm, which are missing. In CI that is a failure." >&2
    exit 1
fi
echo "Skipped: the $what needs Node.js and npm. Install them, on Debian and Ubuntu with: apt-get install nodejs npm"
