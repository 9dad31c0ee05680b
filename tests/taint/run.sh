#!/bin/sh
# Constant time under valgrind: run.sh CC OPT for one compiler and level, run.sh all for gcc and
# clang at -O1 -O2 -Os. Prints one line per check; exits 1 if one fails, 2 if a tool is missing.
set -eu

usage() {
	echo "usage: run.sh CC OPT | run.sh all" >&2
	exit 2
}

need() {
	command -v "$1" >/dev/null || {
		echo "taint: $1 is not installed" >&2
		exit 2
	}
}

cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

# CC OPT MODE EXPECTED: 0 for clean, 99 where memcheck must report
check() {
	status=0
	valgrind -q --error-exitcode=99 "$work/taint" "$3" >"$work/log" 2>&1 || status=$?
	if [ "$status" = "$4" ]; then
		echo "ok   taint $1 $2 $3"
	else
		echo "FAIL taint $1 $2 $3: exit $status, expected $4"
		cat "$work/log"
		failed=1
	fi
}

# -fPIE and the stack protector as in the build. DWARF 4 because valgrind 3.19 dies on clang's 5.
one() {
	need "$1"
	"$1" -std=c11 -gdwarf-4 "$2" -fPIE -pie -fstack-protector-strong -Wall -Wextra -Werror -I. \
		tests/taint/taint_shamir.c shamir/shamir.c -o "$work/taint"
	check "$1" "$2" split 0
	check "$1" "$2" combine 0
	check "$1" "$2" leaky_table 99
	check "$1" "$2" leaky_branch 99
}

need valgrind
case $# in
1)
	[ "$1" = all ] || usage
	for cc in gcc clang; do
		for opt in -O1 -O2 -Os; do
			one "$cc" "$opt"
		done
	done
	;;
2) one "$1" "$2" ;;
*) usage ;;
esac
exit "$failed"
