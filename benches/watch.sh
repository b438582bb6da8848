#!/usr/bin/env bash
# What a live screen costs the server: pgbench beside `pgguard status --watch`, beside `SELECT 1` once a second,
# and alone.
#
#   benches/watch.sh [PGGUARD]    default: target/release/pgguard (build it with cargo build --release)
#
# Starts a throw-away server with pgbench's tables and runs pgbench's read-only script (CLIENTS, 4) for SECONDS
# (10) in ROUNDS (6) rounds of the three in turns, so that whatever else the machine does hits all alike. Prints
# the medians and what a look a second costs more than `SELECT 1`, and judges nothing.
# The server's programs are looked for in $PGGUARD_PG_BIN, then where packages put them.
set -euo pipefail

fail() { echo "watch.sh: $*" >&2; exit 1; }

here=$(cd "$(dirname "$0")/.." && pwd)
pgguard=${1:-$here/target/release/pgguard}
seconds=${SECONDS_EACH:-10} rounds=${ROUNDS:-6} clients=${CLIENTS:-4}
[ -x "$pgguard" ] || fail "$pgguard is not there: cargo build --release, or name the program"
command -v script >/dev/null || fail "script is missing (a live screen needs a terminal): install util-linux"
# shellcheck source=benches/server.sh
. "$here/benches/server.sh"

start() {
  trap stop_server EXIT
  start_server 54332
  pgbench -q -i -s 10 >/dev/null 2>&1
}

# One connection that asks once a second, as the live screen does.
select_one() {
  while printf 'SELECT 1;\n'; do sleep 1; done | psql -X -q -o /dev/null
}

# pgbench's transactions a second beside a command.
beside() {
  "$@" >/dev/null 2>&1 &
  local other=$!
  sleep 1
  pgbench -n -S -M prepared -c "$clients" -j 1 -T "$seconds" 2>/dev/null | awk '/^tps/ { print $3 }'
  kill "$other" 2>/dev/null || true
  pkill -P "$other" 2>/dev/null || true
  wait "$other" 2>/dev/null || true
}

live_screen() {
  exec script -qefc "stty rows 40 cols 120; '$pgguard' status --watch 1s --no-history" /dev/null </dev/null
}
nothing() { sleep 1; }

median() { sort -n "$1" | awk '{ all[NR] = $1 } END { print all[int((NR + 1) / 2)] }'; }

start
for _ in $(seq "$rounds"); do
  for what in nothing select_one live_screen; do beside "$what" >>"$dir/$what"; done
done
for what in nothing select_one live_screen; do
  printf '%-12s %8.0f transactions a second\n' "$what" "$(median "$dir/$what")"
done
awk -v one="$(median "$dir/select_one")" -v live="$(median "$dir/live_screen")" \
  'BEGIN { printf "a look a second costs %.1f %% more than SELECT 1 a second\n", (one - live) * 100 / one }'
