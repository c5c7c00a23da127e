#!/usr/bin/env bash
# Makes .venv with what tests/requirements.txt pins. With arguments, only those of its packages: venv.sh boto3
set -euo pipefail
cd "$(dirname "$0")/../.."

# Whether an interpreter is new enough for all of it; with further arguments, whether it has these modules as well.
suits() {
    local python=$1
    shift
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null &&
        for module in "$@"; do "$python" -c "import $module" 2>/dev/null || return; done
}

wanted=$(grep -v '^#' tests/requirements.txt)
if (($#)); then
    wanted=$(printf '%s\n' "$@" | while read -r name; do grep "^$name==" <<<"$wanted"; done)
fi
if ! suits .venv/bin/python; then
    # A function that brings its own runtime sees /usr and no other interpreter, and what is packed into it for the tests
    # comes from here: the system's Python if there is a choice.
    python=/usr/bin/python3
    suits "$python" venv ensurepip || python=python3
    "$python" -m venv --clear .venv
fi
have=.venv/installed.txt
missing=$(grep -vxF -f "$have" <<<"$wanted" 2>/dev/null || { [ -f "$have" ] || echo "$wanted"; })
if [ -n "$missing" ]; then
    echo "installing into .venv:" $missing >&2
    # shellcheck disable=SC2086  (one package a word)
    .venv/bin/python -m pip install --quiet --disable-pip-version-check $missing
    echo "$missing" >>"$have"
fi
