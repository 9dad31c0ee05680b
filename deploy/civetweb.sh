#!/bin/sh
# civetweb.sh OUTDIR: makes OUTDIR/libcivetweb.a and OUTDIR/include/civetweb.h.
#
# The packaged library of Debian 12 and 13 dies on its first TLS request (it looks up
# SSL_get_peer_certificate, which OpenSSL 3 does not export), so CivetWeb is built here from the
# distribution's own source package, with OpenSSL linked instead of loaded.
#
# The source comes from the machine's own Debian mirror through a private apt configuration; the
# system's lists and sources are not touched. Only the .orig.tar is taken, and it must have one of
# the SHA-256 values below. Debian's patches are not needed: they mend the serving of directories
# and the parsing of forms, neither of which is compiled in or reachable here (NO_FILES, and no
# call of mg_handle_form_request).
#
# Environment  CIVETWEB_SRC=DIR  use this source tree (DIR/src/civetweb.c) instead
#              CC, CFLAGS, SANFLAGS
set -eu

# version of the upstream tarball, SHA-256
PINNED='1.15 ec372e9737bc820118bbb735f46a07d41f795814ca0f38bc6e67048e7a460f33
1.16 41dbfd68cd3b914ce440a5813f21058813b61a972600cc04fb8233a0d2d04fe4'

say() { printf '  CIVETWEB %s\n' "$*"; }
die() {
	printf 'civetweb.sh: %s\n' "$*" >&2
	printf 'civetweb.sh: without a Debian mirror, unpack CivetWeb 1.15 or 1.16 and set CIVETWEB_SRC=DIR\n' >&2
	exit 1
}

[ $# -eq 1 ] || { echo 'usage: civetweb.sh OUTDIR' >&2; exit 2; }
here=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$1"
out=$(cd "$1" && pwd)
cache=${CIVETWEB_CACHE:-$here/build/civetweb-src}

. "$here/deploy/debian-source.sh"

pinned_sum() { printf '%s\n' "$PINNED" | awk -v v="$1" '$1 == v { print $2 }'; }

# Leaves the verified tarball in $cache and its name in $tarball.
find_cached() {
	tarball=
	for t in "$cache"/civetweb_*.orig.tar.*; do
		[ -f "$t" ] || continue
		sum=$(sha256sum "$t" | cut -d' ' -f1)
		if printf '%s\n' "$PINNED" | grep -q " $sum\$"; then
			tarball=$t
			return 0
		fi
		rm -f "$t"
	done
	return 1
}

fetch() {
	command -v apt-get >/dev/null || die 'there is no apt-get here'
	code=$(codename)
	apt=$(mktemp -d "${TMPDIR:-/tmp}/conclave-apt.XXXXXX")
	trap 'rm -rf "$apt"' EXIT INT TERM
	say "reading the source index of Debian $code"
	apt_prepare "$code"
	if ! apt_private apt-cache showsrc civetweb >"$apt/show" 2>>"$apt/log" || [ ! -s "$apt/show" ]; then
		sed 's/^/    /' "$apt/log" >&2
		die 'the mirror offers no source package civetweb (is the package mirror reachable?)'
	fi
	say 'downloading the source package'
	if ! (cd "$apt/get" && apt_private apt-get source --download-only --tar-only --only-source civetweb) >>"$apt/log" 2>&1; then
		sed 's/^/    /' "$apt/log" >&2
		die 'the source package could not be downloaded'
	fi
	got=$(ls "$apt/get"/civetweb_*.orig.tar.* 2>/dev/null | head -n 1)
	[ -n "$got" ] || die 'the source package has no .orig.tar'
	version=$(basename "$got" | sed 's/^civetweb_\([0-9.]*[0-9]\).*/\1/')
	want=$(pinned_sum "$version")
	[ -n "$want" ] || die "CivetWeb $version is not one of the versions known to this script ($(printf '%s\n' "$PINNED" | cut -d' ' -f1 | tr '\n' ' '))"
	sum=$(sha256sum "$got" | cut -d' ' -f1)
	[ "$sum" = "$want" ] || die "CivetWeb $version has SHA-256 $sum, not the pinned $want"
	mkdir -p "$cache"
	cp "$got" "$cache/.new.$$"
	mv "$cache/.new.$$" "$cache/$(basename "$got")"
	rm -rf "$apt"
	trap - EXIT INT TERM
}

work=$(mktemp -d "$out/.work.XXXXXX")
trap 'rm -rf "$work"' EXIT INT TERM
if [ -n "${CIVETWEB_SRC:-}" ]; then
	src=$CIVETWEB_SRC
	[ -f "$src/src/civetweb.c" ] || die "CIVETWEB_SRC=$src has no src/civetweb.c"
	say "from $src (CIVETWEB_SRC: not checked against a pinned sum)"
else
	mkdir -p "$cache"
	# two builds at once (a plain and a sanitizer one) fetch once
	exec 9>"$cache/.lock"
	flock 9
	# fetch replaces the trap on EXIT, so it runs apart
	find_cached || (trap - EXIT INT TERM; fetch)
	find_cached || die 'the downloaded source is not there'
	exec 9>&-
	say "building $(basename "$tarball")"
	tar -xf "$tarball" -C "$work" || die "$(basename "$tarball") does not unpack (is xz-utils installed?)"
	src=$(dirname "$(dirname "$(find "$work" -path '*/src/civetweb.c' | head -n 1)")")
fi

# What is left out cannot be attacked: CGI, files, the response cache, digest passwords.
# Threads get 256 KiB of stack: the front has many of them.
${CC:-cc} -std=gnu11 -O2 -g -w -fPIE -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 \
	-fstack-protector-strong -fstack-clash-protection -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 \
	-DOPENSSL_API_3_0 -DNO_SSL_DL -DNO_CGI -DNO_FILES -DNO_CACHING -DNO_NONCE_CHECK -DNO_POPEN \
	-DUSE_IPV6 -DUSE_STACK_SIZE=262144 ${CFLAGS:-} ${SANFLAGS:-} \
	-I"$src/include" -c "$src/src/civetweb.c" -o "$work/civetweb.o" || die 'CivetWeb does not compile'
rm -f "$work/libcivetweb.a"
ar rcs "$work/libcivetweb.a" "$work/civetweb.o"
mkdir -p "$out/include"
cp "$src/include/civetweb.h" "$out/include/civetweb.h"
mv "$work/libcivetweb.a" "$out/libcivetweb.a"
