#!/bin/sh
# Installs what the build needs where something is missing: by apt as root, by Homebrew on a Mac. Where it can't, it
# says exactly what to install. CONFIG=address adds what the sanitizers need.
set -eu
PYTHON3=${PYTHON3:-python3}
CONFIG=${CONFIG:-release}

DEBIAN="clang gobjc libgnustep-base-dev libblocksruntime-dev libhwy-dev make pkg-config python3-dev python3-venv"
FEDORA="clang gcc-objc gnustep-base-devel libblocksruntime-devel highway-devel make pkgconf python3-devel"
BREW="highway pkgconf"
if [ "$CONFIG" = address ]; then
    DEBIAN="$DEBIAN libclang-rt-dev"
    FEDORA="$FEDORA compiler-rt"
fi

complete() {
    "$PYTHON3" -c 'import ensurepip, os, sys, sysconfig, venv
sys.exit(not os.path.exists(os.path.join(sysconfig.get_paths()["include"], "Python.h")))' 2>/dev/null || return 1
    if [ "$(uname -s)" = Darwin ]; then
        xcode-select -p >/dev/null 2>&1 && command -v clang++ >/dev/null && [ -d "$(brew --prefix highway 2>/dev/null)" ]
    else
        make -s -C "$(dirname "$0")" can-build CONFIG="$CONFIG" >/dev/null 2>&1
    fi
}

explain() {
    cat >&2 <<EOT
pymps needs packages that are missing here and could not be installed ($1). Please install:
  Debian, Ubuntu   apt-get install $DEBIAN
  Fedora           dnf install $FEDORA
  macOS            xcode-select --install; brew install $BREW
EOT
    exit 1
}

complete && exit 0
if [ "$(uname -s)" = Darwin ]; then
    command -v brew >/dev/null || explain "no Homebrew"
    # shellcheck disable=SC2086
    brew install $BREW || explain "brew failed"
elif command -v apt-get >/dev/null; then
    SUDO=
    [ "$(id -u)" = 0 ] || SUDO="sudo -n"
    echo "Installing system packages: $DEBIAN"
    # shellcheck disable=SC2086
    { $SUDO apt-get update -qq &&
        $SUDO env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $DEBIAN; } >/dev/null ||
        explain "apt-get failed"
else
    explain "no apt-get"
fi
complete || explain "still incomplete after the installation"
