# debian-source.sh: sourced by the scripts that build from Debian source packages.
#
# The source comes from the machine's own Debian mirror through a private apt configuration; the
# system's lists and sources are not touched.

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
