#!/usr/bin/env bash
# Every test: the crates, their parsers under fuzzed inputs, simulated clusters, then real clients against real ones, and a
# cluster that is broken on purpose.
# Arguments go to pytest. SEEDS says how many simulated clusters there are; a seed takes about three seconds of two cores.
# FUZZ_SECONDS says how long each of the seven parsers is fuzzed, two at a time.
set -euo pipefail
cd "$(dirname "$0")/../.."

deploy/local/toolchain.sh
deploy/local/venv.sh
python3 -B deploy/local/planted.py --check
cargo test --workspace --locked --quiet --no-fail-fast
FUZZ_SECONDS="${FUZZ_SECONDS:-10}" python3 -B deploy/local/fuzz.py run
cargo build --locked --package node --package sim
target/debug/dunlin-sim seeds --from 1 --count "${SEEDS:-50}" | grep -v ': held in'
.venv/bin/python -m pytest tests "$@"
# Network namespaces need root; whoever has it not is told, and has all the rest.
if [ "$(id -u)" = 0 ] && [ -c /dev/net/tun ]; then
    target/debug/dunlin chaos run smoke
else
    echo 'not run: dunlin chaos run smoke, which needs root and /dev/net/tun' >&2
fi
