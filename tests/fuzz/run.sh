#!/bin/sh
# run.sh BUILD NAME SECONDS: one fuzz target, one line when it is done, everything when it finds
# something (the input is then in BUILD/fuzz-found/).
set -eu
build=$1 name=$2 seconds=$3
corpus=$build/corpus/$name
mkdir -p "$corpus" "$build/fuzz-found"
seeds=tests/fuzz/seeds/$name
[ -d "$seeds" ] || seeds=
# its own log: two runs may share a build
log=$build/fuzz-found/$name.$$.log
# shellcheck disable=SC2086
if "$build/fuzz-bin/$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -max_len=20000 \
	-print_final_stats=1 -artifact_prefix="$build/fuzz-found/$name-" "$corpus" $seeds \
	> "$log" 2>&1; then
	runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
	cover=$(grep -ao 'cov: [0-9]*' "$log" | tail -1)
	echo "  FUZZ $name: $runs inputs, $cover, nothing found"
	rm -f "$log"
else
	cat "$log"
	echo "fuzz: $name: found something, see $build/fuzz-found"
	exit 1
fi
