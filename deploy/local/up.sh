#!/usr/bin/env bash
# Builds, then starts three nodes and shows a function on them. Run again at will.
set -euo pipefail
cd "$(dirname "$0")/../.."

deploy/local/toolchain.sh
# The packages that `make bench` builds too: see the Makefile.
cargo build --release --locked --package node --package bench-floor
deploy/local/venv.sh boto3 awscli
exec .venv/bin/python deploy/local/up.py "$@"
