#!/bin/sh
# mcu-deps.sh OUTDIR: leaves the unpacked sources of mbedTLS, lwIP and cJSON in OUTDIR/mbedtls,
# OUTDIR/lwip and OUTDIR/cjson, for the microcontroller's firmware.
#
# Where they come from: debian-source.sh. Debian's patches are applied, except lwIP's: one of them swaps
# lwip/sockets.h for the host's.
#
# Environment  MCU_SRC=DIR  use DIR/mbedtls, DIR/lwip and DIR/cjson as they are
set -eu

# name, upstream version, SHA-256 of the .orig.tar (Debian 12, then Debian 13)
PINNED='mbedtls 2.28.3 3b4953aa55a681e084d31892d9904cc5328d6b4958ea57b90ae4b4f94ae69a8d
mbedtls 3.6.6 8fb65fae8dcae5840f793c0a334860a411f884cc537ea290ce1c52bb64ca007a
lwip 2.1.3+dfsg1 0a8276d09fc4e97bbba2f953d74af2388fc2195ea156be9d7589e297a68fde24
lwip 2.2.1+dfsg1 83729c274c499d3348e9fbbe043a3113f3fa8953e7efddc7c21c7fcbb1f2b7b1
cjson 1.7.15 5308fd4bd90cef7aa060558514de6a1a4a0819974a26e6ed13973c5f624c24b2
cjson 1.7.18 3aa806844a03442c00769b83e99970be70fbef03735ff898f4811dd03b9f5ee5'
NAMES='mbedtls lwip cjson'

label=MCU-DEPS
hint='unpack the three sources and set MCU_SRC=DIR'

here=$(cd "$(dirname "$0")/.." && pwd)
. "$here/deploy/debian-source.sh"
out_open "$@"
cache=${MCU_CACHE:-$here/build/mcu-src}

complete() { [ -f "$1/mbedtls/library/ssl_tls.c" ] && [ -f "$1/lwip/src/core/tcp.c" ] && [ -f "$1/cjson/cJSON.c" ]; }

# package_find NAME: sets $dsc to the cached description of a package whose .orig.tar is a pinned one.
package_find() {
	source_find "$1" || return 1
	version=$(basename "$tarball" | sed 's/\.orig\.tar\..*//')
	for dsc in "$cache/$version"-*.dsc; do
		[ -f "$dsc" ] && return 0
	done
	return 1
}

unpack() {
	set -- "$1" "$work/$1"
	case $1 in
	lwip) dpkg-source --no-check --skip-patches -x "$dsc" "$2" ;;
	*) dpkg-source --no-check -x "$dsc" "$2" ;;
	esac >"$work/log" 2>&1 || {
		sed 's/^/    /' "$work/log" >&2
		die "$(basename "$dsc") does not unpack (is dpkg-dev installed?)"
	}
	rm -rf "$out/$1"
	mv "$2" "$out/$1"
}

if [ -n "${MCU_SRC:-}" ]; then
	complete "$MCU_SRC" || die "MCU_SRC=$MCU_SRC is not complete"
	for name in $NAMES; do ln -sfn "$MCU_SRC/$name" "$out/$name"; done
	say "from $MCU_SRC (MCU_SRC: not checked against a pinned sum)"
	touch "$out/.done"
	exit 0
fi
mkdir -p "$cache"
exec 9>"$cache/.lock"
flock 9
have=1
for name in $NAMES; do package_find "$name" || have=0; done
# shellcheck disable=SC2086
[ $have = 1 ] || (source_download '' $NAMES)
work=$(mktemp -d "$out/.work.XXXXXX")
trap 'rm -rf "$work"' EXIT INT TERM
for name in $NAMES; do
	package_find "$name" || die "the downloaded source of $name is not there"
	say "unpacking $(basename "$dsc" .dsc)"
	unpack "$name"
done
complete "$out" || die 'the unpacked sources are not complete'
touch "$out/.done"
