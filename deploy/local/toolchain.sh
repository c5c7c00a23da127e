#!/usr/bin/env bash
# Installs what the build and the tests need and this machine lacks; says what it cannot install.
# With the word node, looks for what the tests of other SDKs need, too; with the word runtimes, for what runs and builds functions
# in other languages; with the word chaos, also for what only moves wall clocks: nothing else fails without that.
set -euo pipefail
cd "$(dirname "$0")/../.."

packages=()
{ command -v cc && command -v c++; } >/dev/null || packages+=(build-essential)
command -v python3 >/dev/null || packages+=(python3)
python3 -c 'import venv, ensurepip' 2>/dev/null || packages+=(python3-venv)
if [[ " $* " == *' runtimes '* ]]; then
    { command -v java && command -v javac; } >/dev/null || packages+=(default-jdk-headless)
    command -v mvn >/dev/null || packages+=(maven)
    command -v ruby >/dev/null || packages+=(ruby)
    { command -v go || command -v /usr/local/go/bin/go; } >/dev/null || packages+=(golang-go)
    # A registry of container images, and what is put into it.
    command -v docker-registry >/dev/null || packages+=(docker-registry)
    command -v skopeo >/dev/null || packages+=(skopeo)
    command -v zstd >/dev/null || packages+=(zstd)
    command -v busybox >/dev/null || packages+=(busybox-static)
    # What makes the networks of tests, and what workers give their rules to.
    { command -v ip || [ -x /usr/sbin/ip ]; } >/dev/null || packages+=(iproute2)
    { command -v nft || [ -x /usr/sbin/nft ]; } >/dev/null || packages+=(nftables)
    # The official runtime client of Node.js builds its native part with it.
    command -v cmake >/dev/null || packages+=(cmake)
fi
root=()
((EUID == 0)) || root=(sudo -n)
can_install() { command -v apt-get >/dev/null && "${root[@]}" true 2>/dev/null; }
install() {
    echo "installing $*" >&2
    "${root[@]}" apt-get -qq update
    DEBIAN_FRONTEND=noninteractive "${root[@]}" apt-get -qq install -y --no-install-recommends "$@" >/dev/null
}
if ((${#packages[@]})); then
    if ! can_install; then
        echo "missing and not installable without root and apt-get: ${packages[*]}" >&2
        exit 1
    fi
    install "${packages[@]}"
fi
faketime() { compgen -G '/usr/lib*/*/faketime/libfaketimeMT.so.1' || compgen -G '/usr/lib*/faketime/libfaketimeMT.so.1'; }
if [[ " $* " == *' chaos '* ]] && ! faketime >/dev/null; then
    # A command that is tested does not end the script.
    if ! can_install || ! install libfaketime; then
        echo "libfaketime is missing and cannot be installed: chaos cannot move wall clocks" >&2
    fi
fi

# What tests/requirements.txt pins needs no less.
if ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))'; then
    echo "python3 is $(python3 --version | cut -d' ' -f2): Python 3.10 or newer is needed, first in PATH" >&2
    exit 1
fi

# rustup reads rust-toolchain.toml and fetches that toolchain by itself. The Makefile looks for cargo where rustup puts it.
cargo_bin=${CARGO_HOME:-$HOME/.cargo}/bin
if ! command -v cargo >/dev/null && [ ! -x "$cargo_bin/cargo" ]; then
    if ! command -v curl >/dev/null; then
        echo "cargo is missing, and so is curl to fetch it: install rustup as https://rustup.rs says, then try again" >&2
        exit 1
    fi
    echo "installing rustup, into $cargo_bin" >&2
    # What https://sh.rustup.rs stands for, from the host that has the toolchains, too.
    curl --proto '=https' --tlsv1.2 -fsS https://static.rust-lang.org/rustup/rustup-init.sh |
        sh -s -- -y --quiet --no-modify-path --profile minimal --default-toolchain none
fi
if ! command -v cargo >/dev/null; then
    echo "cargo is in $cargo_bin, which is not in PATH: run  export PATH=\"\$PATH:$cargo_bin\"" >&2
    exit 1
fi

if [[ " $* " == *' node '* ]]; then
    version=$(node --version 2>/dev/null || true)
    major=${version#v}
    major=${major%%.*}
    if ((${major:-0} < 20)) || ! command -v npm >/dev/null; then
        echo "the tests need Node.js 20 or newer with npm, here is ${version:-no node}: install it as https://nodejs.org says" >&2
        exit 1
    fi
fi
