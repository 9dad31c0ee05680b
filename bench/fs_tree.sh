#!/bin/sh
# fs_tree.sh OUT.tar: a source tree to unpack and walk: the distribution's source package of git.
set -eu
hint='put a tar of a source tree at OUT.tar'
[ $# -eq 1 ] || { echo 'usage: fs_tree.sh OUT.tar' >&2; exit 2; }
here=$(cd "$(dirname "$0")/.." && pwd)
. "$here/deploy/debian-source.sh"
apt=$(mktemp -d "${TMPDIR:-/tmp}/conclave-apt.XXXXXX")
trap 'rm -rf "$apt"' EXIT INT TERM
apt_prepare "$(codename)"
(cd "$apt/get" && apt_private apt-get source --download-only --only-source git) >>"$apt/log" 2>&1 ||
	die 'the source package git could not be downloaded'
xz -dc "$apt/get"/git_*.orig.tar.xz >"$1.part"
mv "$1.part" "$1"
