#!/usr/bin/env bash
# Installs what the build and the tests need and this machine lacks; says what it cannot install.
set -euo pipefail
cd "$(dirname "$0")/../.."

packages=()
{ command -v cc && command -v c++; } >/dev/null || packages+=(build-essential)
command -v python3 >/dev/null || packages+=(python3)
python3 -c 'import venv, ensurepip' 2>/dev/null || packages+=(python3-venv)
if ((${#packages[@]})); then
    root=()
    ((EUID == 0)) || root=(sudo -n)
    if command -v apt-get >/dev/null && "${root[@]}" true 2>/dev/null; then
        echo "installing ${packages[*]}" >&2
        "${root[@]}" apt-get -qq update
        DEBIAN_FRONTEND=noninteractive "${root[@]}" apt-get -qq install -y --no-install-recommends "${packages[@]}" >/dev/null
    else
        echo "missing and not installable without root and apt-get: ${packages[*]}" >&2
        exit 1
    fi
fi

# rustup reads rust-toolchain.toml and fetches that toolchain by itself.
if ! command -v cargo >/dev/null && [ -x "$HOME/.cargo/bin/cargo" ]; then
    echo "cargo is in ~/.cargo/bin, which is not in PATH: run  . ~/.cargo/env" >&2
    exit 1
elif ! command -v cargo >/dev/null; then
    echo "cargo is missing: install rustup as https://rustup.rs says, then try again" >&2
    exit 1
fi
