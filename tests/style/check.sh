#!/bin/sh
# Checks what the layout promises:
#   1. include directions: who may include what (table below), no include from outside the tree
#   2. every header compiles alone
#   3. shamir and protocol ask nothing of the outside but mem*, str(len|cmp), cJSON_* and crypto_*
#   4. the words of the protocol: each label once in the document, none in the code that is not there
#   5. lengths: .c files, headers, functions, lines
# Exit 1 and one line per finding. CC and the build's flags may come from the environment.
set -eu
cd "$(dirname "$0")/../.."
PYTHON=${PYTHON:-/usr/bin/python3}
CC=${CC:-cc}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

"$PYTHON" tests/style/includes.py || failed=1
"$PYTHON" tests/style/lengths.py || failed=1
"$PYTHON" tests/style/labels.py || failed=1

flags="-std=c11 -I. -Imcu-client -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DFUSE_USE_VERSION=314 \
	$(pkg-config --cflags libsodium libcrypto libssl libcurl libcjson fuse3 sqlite3 inih libseccomp)"
for dir in build/civetweb/include; do
	[ -d "$dir" ] && flags="$flags -I$dir"
done
for header in shamir/*.h protocol/*.h host/*.h notify/*.h fs/*.h gateway/*.h device/*.h \
	provisioning/*.h mcu-client/*.h; do
	[ -f "$header" ] || continue
	printf '#include "%s"\nextern int not_empty;\n' "$header" > "$work/alone.c"
	# shellcheck disable=SC2086
	if ! $CC $flags -Wall -Wextra -Werror -fsyntax-only "$work/alone.c" 2> "$work/err"; then
		echo "$header: does not compile alone:"
		cat "$work/err"
		failed=1
	fi
done

# Without the hardening flags, which bring symbols of their own; -Os as on a microcontroller.
for source in shamir/*.c protocol/*.c; do
	# shellcheck disable=SC2086
	$CC $flags -Os -fno-stack-protector -U_FORTIFY_SOURCE -c -o "$work/$(basename "$source").o" \
		"$source"
done
ld -r -o "$work/core.o" "$work"/*.c.o
nm -u "$work/core.o" | sed 's/^ *U //' > "$work/wanted"
if grep -vE '^(mem(cpy|set|cmp|move|chr)|str(len|cmp|ncmp)|cJSON_[A-Za-z]+|crypto_[a-z0-9_]+|_GLOBAL_OFFSET_TABLE_)$' \
	"$work/wanted" > "$work/foreign"; then
	sed 's/^/the portable core asks for /' "$work/foreign"
	failed=1
fi
[ "$failed" -eq 0 ] && echo "style: ok"
exit "$failed"
