#!/bin/sh
# civetweb.sh OUTDIR: makes OUTDIR/libcivetweb.a and OUTDIR/include/civetweb.h.
#
# The packaged library of Debian 12 and 13 dies on its first TLS request (it looks up
# SSL_get_peer_certificate, which OpenSSL 3 does not export), so CivetWeb is built here from the
# distribution's own source package, with OpenSSL linked instead of loaded.
#
# Where the source comes from: debian-source.sh. Only the .orig.tar is taken. Debian's patches are not
# needed: they mend the serving of directories and the parsing of forms, neither of which is compiled
# in or reachable here (NO_FILES, and no call of mg_handle_form_request).
#
# Environment  CIVETWEB_SRC=DIR  use this source tree (DIR/src/civetweb.c) instead
#              CC, CFLAGS, SANFLAGS
set -eu

# name, version of the upstream tarball, SHA-256
PINNED='civetweb 1.15+dfsg ec372e9737bc820118bbb735f46a07d41f795814ca0f38bc6e67048e7a460f33
civetweb 1.16+dfsg 41dbfd68cd3b914ce440a5813f21058813b61a972600cc04fb8233a0d2d04fe4'

label=CIVETWEB
hint='unpack CivetWeb 1.15 or 1.16 and set CIVETWEB_SRC=DIR'

here=$(cd "$(dirname "$0")/.." && pwd)
. "$here/deploy/debian-source.sh"
out_open "$@"
cache=${CIVETWEB_CACHE:-$here/build/civetweb-src}

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
	source_find civetweb || (source_download --tar-only civetweb)
	source_find civetweb || die 'the downloaded source is not there'
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
