#!/bin/sh
# Prepares what test-neon needs. The emulator and a linker are installed by apt as root where they are missing; the
# libraries and headers of an arm64 Debian are only unpacked into the directory that is named, by apt with a state of
# its own: this machine's packages do not change, nor need they be of the same versions. Where that can't be done, it
# says why and exits with 77.
set -eu
SYSROOT=$1
TOOLS="qemu-user lld"
STATE=$SYSROOT.apt

skip() {
    echo "test-neon: skipped; it needs the packages $TOOLS, and $PACKAGES of Debian's arm64 ($1)"
    exit 77
}

PACKAGES="libhwy-dev and libstdc++-dev"
command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || skip "no apt-get"
PACKAGES="libhwy-dev libstdc++-$(gcc -dumpversion | cut -d. -f1)-dev"

if ! { command -v qemu-aarch64 && command -v ld.lld; } >/dev/null; then
    SUDO=
    [ "$(id -u)" = 0 ] || SUDO="sudo -n"
    echo "Installing system packages: $TOOLS"
    # shellcheck disable=SC2086
    { $SUDO apt-get update -qq &&
        $SUDO env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $TOOLS; } >/dev/null ||
        skip "apt-get failed"
fi

[ ! -d "$SYSROOT" ] || exit 0
echo "Unpacking arm64 libraries: $PACKAGES"
rm -rf "$STATE"
mkdir -p "$STATE/lists/partial" "$STATE/archives/partial" "$STATE/root"
: >"$STATE/status"
cat >"$STATE/apt.conf" <<EOT
APT::Architecture "arm64";
APT::Architectures { "arm64"; };
APT::Sandbox::User "$(id -un)";
Dir::State "$STATE";
Dir::State::status "$STATE/status";
Dir::Cache "$STATE";
EOT
export APT_CONFIG="$STATE/apt.conf"
# shellcheck disable=SC2086
{ apt-get update -qq && apt-get install -y -qq --no-install-recommends --download-only $PACKAGES; } >/dev/null ||
    skip "apt-get failed"
for package in "$STATE"/archives/*.deb; do
    dpkg-deb --extract "$package" "$STATE/root"
done
# Links to absolute paths would lead out of the directory.
find "$STATE/root" -lname '/*' | while read -r link; do
    ln -sfn "$SYSROOT$(readlink "$link")" "$link"
done
mv "$STATE/root" "$SYSROOT"
rm -rf "$STATE"
