#!/usr/bin/env bash
# How right the end of a backup is told: real pg_dumps of every kind, after no past run, one of the same kind and one of
# another, and a plain one that freezes, stalls, slows down and is killed. `pgguard status` looks every two seconds.
#
#   benches/backups.sh [PGGUARD]    default: target/debug/pgguard (build it with cargo build)
#
# Starts a throw-away server, whose programs are looked for in $PGGUARD_PG_BIN, then where packages put them. Prints a
# table in Markdown (about ten minutes), and judges nothing. Needs python3.
set -euo pipefail

fail() { echo "backups.sh: $*" >&2; exit 1; }

here=$(cd "$(dirname "$0")/.." && pwd)
pgguard=${1:-$here/target/debug/pgguard}
[ -x "$pgguard" ] || fail "$pgguard is not there: cargo build, or name the program"
command -v python3 >/dev/null || fail "python3 is missing"
# shellcheck source=benches/server.sh
. "$here/benches/server.sh"

trap stop_server EXIT
start_server "${PORT:-54333}" 'autovacuum = off'
python3 "$here/benches/backups.py" "$pgguard" "$dir"
