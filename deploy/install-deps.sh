#!/bin/sh
# install-deps.sh [build|test|long]: installs the Debian packages that building (and testing) needs and
# that are not there yet. Does nothing, without the network and without root, if all are present.
set -eu

BUILD='gcc libc6-dev make binutils pkg-config dpkg-dev xz-utils ca-certificates
libsodium-dev libssl-dev libmbedtls-dev libcurl4-openssl-dev libcjson-dev libfuse3-dev fuse3
libsqlite3-dev libinih-dev libseccomp-dev libtss2-dev'
TEST='libcmocka-dev python3 python3-pytest python3-pytest-xdist python3-cryptography openssl curl procps valgrind
swtpm tpm2-tools python3-jsonschema gpsd gpsd-clients gpsd-tools'
# the firmware for the emulated board; Debian 13 has QEMU's RISC-V machines in a package of their own
MCU='gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf'
case "$(. /etc/os-release 2>/dev/null && printf '%s' "${VERSION_ID:-}")" in
12) MCU="$MCU qemu-system-misc" ;;
*) MCU="$MCU qemu-system-riscv" ;;
esac
LONG='clang stress-ng'

case "${1:-test}" in
build) wanted=$BUILD ;;
test) wanted="$BUILD $TEST $MCU" ;;
long) wanted="$BUILD $TEST $MCU $LONG" ;;
*)
	echo 'usage: install-deps.sh [build|test|long]' >&2
	exit 2
	;;
esac

if ! command -v dpkg-query >/dev/null; then
	echo "install-deps.sh: this is not Debian: install the counterparts of: $(echo $wanted)" >&2
	exit 0
fi

missing=
for p in $wanted; do
	status=$(dpkg-query -W -f '${db:Status-Status}\n' "$p" 2>/dev/null | head -n 1) || status=
	[ "$status" = installed ] || missing="$missing $p"
done
[ -n "$missing" ] || exit 0

root=
if [ "$(id -u)" != 0 ]; then
	if ! command -v sudo >/dev/null; then
		echo "install-deps.sh: missing:$missing; become root and run: apt-get install$missing" >&2
		exit 1
	fi
	root='sudo'
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT INT TERM
run() {
	if ! $root env DEBIAN_FRONTEND=noninteractive "$@" </dev/null >"$log" 2>&1; then
		sed 's/^/    /' "$log" >&2
		echo "install-deps.sh: failed: $*" >&2
		exit 1
	fi
}

echo "  DEPS reading the package lists"
run apt-get -qq -o Acquire::Retries=3 update
echo "  DEPS installing:$missing"
run apt-get -qq -o Acquire::Retries=3 -o Dpkg::Use-Pty=0 install -y --no-install-recommends $missing
