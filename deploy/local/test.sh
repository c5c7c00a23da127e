#!/usr/bin/env bash
# Every test: the crates, then real clients against a real cluster. Arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/../.."

deploy/local/toolchain.sh
deploy/local/venv.sh
python3 -B deploy/local/planted.py --check
cargo test --workspace --locked --quiet
cargo build --locked --package node
exec .venv/bin/python -m pytest tests "$@"
