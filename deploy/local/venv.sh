#!/usr/bin/env bash
# Makes .venv with what tests/requirements.txt pins. With arguments, only those of its packages: venv.sh boto3
set -euo pipefail
cd "$(dirname "$0")/../.."

wanted=$(grep -v '^#' tests/requirements.txt)
if (($#)); then
    wanted=$(printf '%s\n' "$@" | while read -r name; do grep "^$name==" <<<"$wanted"; done)
fi
have=.venv/installed.txt
[ -x .venv/bin/python ] || python3 -m venv .venv
missing=$(grep -vxF -f "$have" <<<"$wanted" 2>/dev/null || { [ -f "$have" ] || echo "$wanted"; })
if [ -n "$missing" ]; then
    echo "installing into .venv:" $missing >&2
    # shellcheck disable=SC2086  (one package a word)
    .venv/bin/python -m pip install --quiet --disable-pip-version-check $missing
    echo "$missing" >>"$have"
fi
