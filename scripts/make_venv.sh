#!/bin/sh
# Make the virtual environment $1 with a Python that is new enough, unless a working one is there.
set -eu

new_enough='import sys; sys.exit(sys.version_info < (3, 11))'

if "$1/bin/python" -c "$new_enough" 2>/dev/null && "$1/bin/python" -m pip --version >/dev/null 2>&1
then
    exit 0
fi

# The last is for shims of version managers that refuse to choose.
for python in ${PYTHON:-python3 python3.13 python3.12 python3.11 /usr/bin/python3}; do
    "$python" -c "$new_enough" 2>/dev/null || continue
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        echo "$python cannot make virtual environments. Install its venv module, on Debian and Ubuntu with: apt-get install python3-venv" >&2
        exit 1
    fi
    echo "Making $1 with $("$python" --version)"
    exec "$python" -m venv --clear "$1"
done

echo 'Coursewire needs Python 3.11 or newer, and none was found. Install one, or name one: make PYTHON=/path/to/python' >&2
exit 1
