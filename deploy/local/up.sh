#!/usr/bin/env bash
# Builds, then starts three nodes and shows a function on them. Run again at will.
set -euo pipefail
cd "$(dirname "$0")/../.."

deploy/local/toolchain.sh
cargo build --release --locked --package node
deploy/local/venv.sh boto3
exec .venv/bin/python deploy/local/up.py "$@"
