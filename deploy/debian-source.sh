# debian-source.sh: sourced by the scripts that build from Debian source packages.
#
# The source comes from the machine's own Debian mirror through a private apt configuration; the
# system's lists and sources are not touched. The .orig.tar must have one of the SHA-256 values that
# the caller pins; the rest of a package is checked by apt against the signed index.
#
# The caller sets  PINNED  lines of "name version SHA-256 of the .orig.tar"
#                  cache   directory for what was downloaded
#                  label   what its lines of progress begin with
#                  hint    what to do where there is no mirror

say() { printf '  %s %s\n' "$label" "$*"; }
die() {
	printf '%s: %s\n' "$(basename "$0")" "$*" >&2
	printf '%s: without a Debian mirror, %s\n' "$(basename "$0")" "$hint" >&2
	exit 1
}

# out_open ARGUMENTS: sets $out to the directory that is the program's only argument.
out_open() {
	[ $# -eq 1 ] || { echo "usage: $(basename "$0") OUTDIR" >&2; exit 2; }
	mkdir -p "$1"
	out=$(cd "$1" && pwd)
}

# The machine's own Debian archive entries as deb-src lines, in deb822 form. Other archives
# (vendors' packages) are left out: the suite must be this release or its updates.
codename() {
	# shellcheck disable=SC1091
	(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}")
}

sources_deb822() {
	for f in /etc/apt/sources.list.d/*.sources; do
		[ -f "$f" ] && { grep -v '^#' "$f"; echo; }
	done | awk -v code="$1" 'BEGIN { RS = ""; FS = "\n" }
	function field(line) { sub(/^[^:]*:[ \t]*/, "", line); return line }
	{
		keep = ""; suites = ""; main = 0; on = 1
		for (i = 1; i <= NF; i++) {
			key = tolower($i); sub(/:.*/, "", key)
			if (key == "types") continue
			if (key == "enabled" && tolower(field($i)) ~ /^(no|false|0|off)/) on = 0
			if (key == "components") { main = (" " field($i) " ") ~ / main /; keep = keep "Components: main\n"; continue }
			if (key == "suites") {
				n = split(field($i), s, /[ \t]+/)
				for (j = 1; j <= n; j++)
					if (s[j] == code || s[j] == code "-updates" || s[j] == code "-security" || s[j] ~ /^(old)*stable(-updates|-security)?$/)
						suites = suites " " s[j]
				continue
			}
			keep = keep $i "\n"
		}
		if (on && main && suites != "") printf "Types: deb-src\nSuites:%s\n%s\n", suites, keep
	}'
}

sources_one_line() {
	for f in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
		[ -f "$f" ] && cat "$f"
	done | awk -v code="$1" '$1 == "deb" || $1 == "deb-src" {
		line = $0; sub(/^[ \t]*deb(-src)?[ \t]+/, "", line); sub(/[ \t]*#.*/, "", line)
		opts = ""
		if (line ~ /^\[/) { opts = line; sub(/\].*/, "]", opts); sub(/^\[[^]]*\][ \t]*/, "", line) }
		n = split(line, w, /[ \t]+/)
		if (w[1] ~ /^cdrom:/ || line !~ /[ \t]main([ \t]|$)/) next
		if (w[2] == code || w[2] == code "-updates" || w[2] ~ "^" code "[-/](security|updates)" || w[2] ~ /^(old)*stable(-updates|-security)?$/)
			print "deb-src " opts (opts == "" ? "" : " ") w[1] " " w[2] " main"
	}'
}

apt_private() {
	command=$1
	shift
	"$command" -q -o Dir::Etc::SourceList="$apt/sources.list" -o Dir::Etc::SourceParts="$apt/parts" \
		-o Dir::State::Lists="$apt/lists" -o Dir::Cache="$apt/cache" -o Acquire::Languages=none \
		-o Acquire::Retries=3 -o APT::Get::List-Cleanup=0 "$@"
}

# apt_prepare: makes the private configuration under $apt (set by the caller to a fresh directory,
# which the caller removes) and reads the source index. Its output is in $apt/log.
apt_prepare() {
	# apt downloads as its own user; without this it warns about our directory
	chmod 755 "$apt"
	mkdir -p "$apt/parts" "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/get"
	sources_one_line "$1" >"$apt/sources.list"
	sources_deb822 "$1" >"$apt/parts/debian.sources"
	[ -s "$apt/sources.list" ] || [ -s "$apt/parts/debian.sources" ] ||
		die "no Debian archive for '$1' in /etc/apt/sources.list or /etc/apt/sources.list.d"
	apt_private apt-get update >"$apt/log" 2>&1 || true
	if id _apt >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then chown _apt "$apt/get"; fi
}

# source_find NAME: sets $tarball to the cached .orig.tar of a pinned version. What the cache has
# under that name with another sum is removed.
source_find() {
	tarball=
	for t in "$cache/$1"_*.orig.tar.*; do
		case $t in *.asc) continue ;; esac
		[ -f "$t" ] || continue
		sum=$(sha256sum "$t" | cut -d' ' -f1)
		if printf '%s\n' "$PINNED" | grep -q "^$1 [^ ]* $sum\$"; then
			tarball=$t
			return 0
		fi
		rm -f "$t"
	done
	return 1
}

# source_check NAME: dies if $apt/get has no .orig.tar of it, or one that is not pinned.
source_check() {
	got=
	for t in "$apt/get/$1"_*.orig.tar.*; do
		case $t in *.asc) continue ;; esac
		[ -f "$t" ] && got=$t
	done
	[ -n "$got" ] || die "the source package $1 has no .orig.tar"
	version=$(basename "$got" | sed "s/^$1_//; s/\.orig\.tar\..*//")
	want=$(printf '%s\n' "$PINNED" | awk -v n="$1" -v v="$version" '$1 == n && $2 == v { print $3 }')
	[ -n "$want" ] || die "$1 $version is not one of the versions known to this script ($(
		printf '%s\n' "$PINNED" | awk -v n="$1" '$1 == n { printf "%s ", $2 }'))"
	sum=$(sha256sum "$got" | cut -d' ' -f1)
	[ "$sum" = "$want" ] || die "$1 $version has SHA-256 $sum, not the pinned $want"
}

# source_download 'OPTIONS' NAME...: into $cache, each checked first. OPTIONS are apt-get's. Call it in
# a subshell: it sets traps.
source_download() {
	options=$1
	shift
	command -v apt-get >/dev/null || die 'there is no apt-get here'
	code=$(codename)
	apt=$(mktemp -d "${TMPDIR:-/tmp}/conclave-apt.XXXXXX")
	trap 'rm -rf "$apt"' EXIT INT TERM
	say "reading the source index of Debian $code"
	apt_prepare "$code"
	for name in "$@"; do
		say "downloading the source package $name"
		# shellcheck disable=SC2086
		if ! (cd "$apt/get" && apt_private apt-get source --download-only $options --only-source "$name") >>"$apt/log" 2>&1; then
			sed 's/^/    /' "$apt/log" >&2
			die "the source package $name could not be downloaded (is the package mirror reachable?)"
		fi
		source_check "$name"
	done
	for f in "$apt/get"/*; do
		cp "$f" "$cache/.new.$$"
		mv "$cache/.new.$$" "$cache/$(basename "$f")"
	done
}
