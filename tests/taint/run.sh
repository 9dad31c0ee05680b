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

# CC OPT PROGRAM MODE EXPECTED: what valgrind exits with, 99 where memcheck must report
check() {
	status=0
	valgrind -q --error-exitcode=99 "$work/$3" "$4" >"$work/log" 2>&1 || status=$?
	judge "$1 $2 $4" "$status" "$5"
}

# The program itself counts the reports and exits 0 if there was one at most.
check_counted() {
	status=0
	valgrind -q "$work/$3" "$4" >"$work/log" 2>&1 || status=$?
	judge "$1 $2 $4" "$status" 0
}

judge() {
	if [ "$2" = "$3" ]; then
		echo "ok   taint $1"
	else
		echo "FAIL taint $1: exit $2, expected $3"
		cat "$work/log"
		failed=1
	fi
}

# CC OPT PROGRAM SOURCES: -fPIE and the stack protector as in the build. DWARF 4 because valgrind
# 3.19 dies on clang's 5.
build() {
	cc=$1 opt=$2 program=$3
	shift 3
	"$cc" -std=c11 -D_GNU_SOURCE -gdwarf-4 "$opt" -fPIE -pie -fstack-protector-strong -Wall -Wextra \
		-Werror -I. "tests/taint/$program.c" "$@" -o "$work/$program"
}

one() {
	need "$1"
	build "$1" "$2" taint_shamir shamir/shamir.c
	check "$1" "$2" taint_shamir split 0
	check "$1" "$2" taint_shamir combine 0
	check "$1" "$2" taint_shamir leaky_table 99
	check "$1" "$2" taint_shamir leaky_branch 99
	build "$1" "$2" taint_protocol protocol/base64url.c host/crypto_host.c host/crypto_es256.c \
		-lsodium -lcrypto
	check "$1" "$2" taint_protocol equal 0
	check "$1" "$2" taint_protocol base64url_encode 0
	check "$1" "$2" taint_protocol hex_encode 0
	check_counted "$1" "$2" taint_protocol base64url_decode
	check_counted "$1" "$2" taint_protocol hex_decode
	check "$1" "$2" taint_protocol leaky_memcmp 99
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
