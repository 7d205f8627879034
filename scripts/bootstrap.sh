#!/bin/sh
# Makes .venv in the project folder and installs the project into it, editable.
#   scripts/bootstrap.sh REQUIREMENT [DEPENDENCY-GROUP...]      for instance: scripts/bootstrap.sh '.[demo]' dev
# PYTHON names the interpreter; otherwise the first Python >= 3.11 that is found and can make an environment is taken.
set -eu
cd "$(dirname "$0")/.."

requirement=$1
shift

good() {
    "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
    for candidate in ${PYTHON:-} python3 python3.13 python3.12 python3.11 python3.14 python; do
        if good "$candidate"; then
            echo "$candidate"
            return 0
        fi
    done
    echo "No Python >= 3.11 with venv was found. Install one (on Debian: apt-get install python3 python3-venv) or set PYTHON." >&2
    return 1
}

if ! .venv/bin/python -c '' >/dev/null 2>&1; then
    python=$(find_python)
    echo "Making .venv with $("$python" --version)"
    "$python" -m venv --clear .venv
fi

# The first pip that reads [dependency-groups] is 25.1.
if ! .venv/bin/python -m pip --version | grep -qE '^pip (25\.[1-9]|2[6-9]|[3-9][0-9])'; then
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
fi

set -- $(for group in "$@"; do echo "--group $group"; done)
echo "Installing $requirement $*"
# setuptools warns of every editable install; pip's own messages stay.
PYTHONWARNINGS=ignore exec .venv/bin/python -m pip install --quiet --disable-pip-version-check --editable "$requirement" "$@"
