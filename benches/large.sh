#!/usr/bin/env bash
# How time and memory grow with a migration's size: each text as N and as 2N, `pgguard explain` on a server.
#
#   benches/large.sh [PGGUARD]    default: target/release/pgguard (build it with cargo build --release)
#
# Starts a server of its own. Prints the processor's time of 2N against N (2 is linear, 4 is quadratic), and the memory
# of 2N, less that of an empty statement, against the text's bytes. Judges nothing. Needs GNU time. SCALE=10 takes texts
# ten times as long, KINDS names those that are measured.
set -euo pipefail

here=$(cd "$(dirname "$0")/.." && pwd)
pgguard=${1:-$here/target/release/pgguard}
scale=${SCALE:-1}
fail() { echo "large.sh: $*" >&2; exit 1; }
[ -x "$pgguard" ] || fail "$pgguard is not there: cargo build --release"
. "$here/benches/server.sh"
trap stop_server EXIT
start_server 54399

# What is repeated COUNT times between a head and a tail; @ is its number.
text() {
  local kind=$1 count=$2
  awk -v kind="$kind" -v n="$count" -v q="'" 'BEGIN {
    unit["alike"] = "INSERT INTO t (a) VALUES (@);\n"
    unit["different"] = "UPDATE t SET a = a + @ WHERE b = @ AND c < f@(@);\n"
    unit["columns"] = "ALTER TABLE t ADD COLUMN c@ int;\n"
    unit["tables"] = "CREATE TABLE t@ (id int PRIMARY KEY, u int REFERENCES u);\n"
    head["rows"] = "INSERT INTO t VALUES (0, 0)"; unit["rows"] = ",\n(@, @)"; tail["rows"] = ";\n"
    head["calls"] = "INSERT INTO t VALUES (0)"; unit["calls"] = ",\n(lower(" q "a@" q "))"; tail["calls"] = ";\n"
    head["in"] = "DELETE FROM t WHERE a IN (0"; unit["in"] = ",@"; tail["in"] = ");\n"
    unit["backslashes"] = "\\"; unit["quotes"] = q q; unit["comments"] = "--\n"; tail["comments"] = "SELECT 1;\n"
    head["parens"] = "SELECT "; unit["parens"] = "("; unit["dollars"] = "$"; unit["tags"] = "$a@$ "
    unit["copies"] = "COPY t FROM stdin;\n@\n\\.\n"; unit["open copies"] = "COPY t FROM stdin;\n"
    head["data"] = "COPY t FROM stdin;\n"; unit["data"] = "@\t@\n"; tail["data"] = "\\.\n"
    head["sum"] = "SELECT 1"; unit["sum"] = "+@"; tail["sum"] = ";\n"; unit["semicolons"] = ";"; tail["semicolons"] = "SELECT 1;\n"
    printf "%s", head[kind]
    parts = split(unit[kind], part, "@")
    for (i = 0; i < n; i++) { printf "%s", part[1]; for (j = 2; j <= parts; j++) printf "%d%s", i, part[j] }
    printf "%s", tail[kind]
  }'
}

# Seconds of processor and kilobytes for a file.
measured() {
  /usr/bin/time -q -o "$dir/time" -f '%U %S %M' "$pgguard" explain --format json --timeout 600s "$1" \
    >"$dir/answer" 2>/dev/null || true
  awk '{ print $1 + $2, $3 }' "$dir/time"
}

echo 'SELECT 1;' >"$dir/empty.sql"
read -r _ base < <(measured "$dir/empty.sql")
printf '%-12s %10s %8s %8s %7s %8s %8s\n' text bytes 'N in s' '2N in s' ratio MB 'x text'
while IFS=: read -r kind count; do
  [[ " ${KINDS:-$kind} " == *" $kind "* ]] || continue
  n=$((count * scale))
  text "$kind" $n >"$dir/one.sql"; text "$kind" $((2 * n)) >"$dir/two.sql"
  bytes=$(stat -c %s "$dir/two.sql")
  read -r a _ < <(measured "$dir/one.sql")
  read -r b memory < <(measured "$dir/two.sql")
  awk -v k="$kind" -v bytes="$bytes" -v a="$a" -v b="$b" -v m="$memory" -v base="$base" 'BEGIN {
    printf "%-12s %10d %8.2f %8.2f %7.2f %8.1f %8.1f\n", k, bytes, a, b, b / (a > 0 ? a : 0.01), m / 1024, (m - base) * 1024 / bytes }'
done <<'KINDS'
alike:2000
different:2000
columns:2000
tables:2000
rows:100000
calls:20000
in:100000
backslashes:100000
quotes:100000
comments:100000
parens:100000
dollars:100000
tags:20000
copies:4000
open copies:4000
data:500000
sum:5000
semicolons:200000
KINDS
