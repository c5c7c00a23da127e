#!/usr/bin/env bash
# Every test: the crates, their parsers under fuzzed inputs, simulated clusters, then real clients against real ones, and a
# cluster that is broken on purpose.
# Arguments go to pytest. SEEDS says how many simulated clusters there are; a seed takes about three seconds of two cores.
# FUZZ_SECONDS says how long each of the nine parsers is fuzzed, two at a time.
# With DUNLIN_REQUIRE_CHAOS and DUNLIN_REQUIRE_FUSE set, what this machine cannot break is a failure; else it is told, and left out.
set -euo pipefail
cd "$(dirname "$0")/../.."

# Network namespaces need root; whoever has it not is told, and has all the rest.
missing=()
[ "$(id -u)" = 0 ] || missing+=(root)
[ -c /dev/net/tun ] || missing+=(/dev/net/tun)
if ((${#missing[@]})) && [ -n "${DUNLIN_REQUIRE_CHAOS:-}" ]; then
    echo "DUNLIN_REQUIRE_CHAOS is set, and chaos cannot run: missing ${missing[*]}" >&2
    exit 1
fi
deploy/local/toolchain.sh node runtimes chaos
deploy/local/venv.sh
python3 -B deploy/local/planted.py --check
# All at once, the programs too: another choice of packages or targets gives their dependencies other features, and they would
# be built twice.
cargo build --workspace --all-targets --locked --quiet
cargo test --workspace --locked --quiet --no-fail-fast
FUZZ_SECONDS="${FUZZ_SECONDS:-10}" python3 -B deploy/local/fuzz.py run
# The tests with clients wait much: simulated clusters get what these leave of the processors, and nothing more.
nice -n 19 target/debug/dunlin-sim seeds --from 1 --count "${SEEDS:-50}" > target/seeds.txt 2>&1 &
seeds=$!
trap 'kill "$seeds" 2>/dev/null || true' EXIT
.venv/bin/python -m pytest tests "$@"
held=yes
wait "$seeds" || held=no
grep -v ': held in' target/seeds.txt
[ "$held" = yes ]
if ((${#missing[@]})); then
    echo "not run: dunlin chaos run smoke, which needs ${missing[*]}" >&2
else
    target/debug/dunlin chaos run smoke
fi
