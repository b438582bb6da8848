#!/usr/bin/env bash
# Starts a throw-away server under a heavy load: about 1,000 sessions and 50,000 lock rows.
#
#   benches/load.sh start DIR [LOCKS]   start it with everything in DIR; prints how to connect
#   benches/load.sh stop DIR            end the sessions and the server
#   benches/load.sh compare DIR         pgguard beside psql reading the same two views (build --release first)
#
# The sessions: 340 idle, 560 idle in a transaction with ACCESS SHARE on 89 tables each, 50 that run
# pg_sleep, one ALTER TABLE that waits, 40 readers that queue behind it, and one pg_dump that stalls.
# They end by themselves after half an hour (2,000 s is nearly the longest that pgbench can sleep).
# LOCKS scales the tables, and with them the lock rows (default 50000).
set -euo pipefail

fail() { echo "load.sh: $*" >&2; exit 1; }

here=$(cd "$(dirname "$0")/.." && pwd)
[ $# -ge 2 ] || fail "usage: load.sh start|stop|compare DIR [LOCKS]"
action=$1 dir=$2 locks=${3:-50000}
bin=${PG_BIN:-$(printf '%s\n' /usr/lib/postgresql/*/bin /usr/pgsql-*/bin | grep -v '\*' | sort -V | tail -1)}
[ -x "$bin/postgres" ] || fail "no server binaries found: set PG_BIN to their folder"
tables=$((locks * 89 / 50000))
port=54329

# Postgres refuses to run as root.
as_server() { if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi; }
sql() { psql -X -q -h "$dir/socket" -p $port -U postgres -d load "$@"; }

# COUNT sessions that run FILE once, in the background; remembered for `stop`.
sessions() {
  pgbench -n -h "$dir/socket" -p $port -U postgres -c "$1" -j 1 -t 1 -f "$2" load >"$2.log" 2>&1 &
  echo $! >>"$dir/pids"
}

start() {
  mkdir -p "$dir/socket"
  [ "$(id -u)" != 0 ] || chown -R postgres "$dir"
  as_server "$bin/initdb" -A trust -U postgres -D "$dir/data" --no-sync -E UTF8 --locale=C >/dev/null
  cat >>"$dir/data/postgresql.conf" <<CONF
listen_addresses = ''
unix_socket_directories = '$dir/socket'
port = $port
max_connections = 1100
max_locks_per_transaction = $((tables * 2 + 64))
fsync = off
autovacuum = off
CONF
  as_server "$bin/pg_ctl" -w -s -D "$dir/data" -l "$dir/log" start
  psql -X -q -h "$dir/socket" -p $port -U postgres -d postgres -c 'CREATE DATABASE load'
  sql -c "DO \$\$ BEGIN FOR i IN 1..$((tables + 10)) LOOP
            EXECUTE format('CREATE TABLE t%s (id int, padding text)', i); END LOOP; END \$\$" \
      -c "INSERT INTO t1 SELECT i, repeat('x', 500) FROM generate_series(1, 100000) i"

  printf 'SELECT 1;\n\\sleep 2000 s\nSELECT 1;\n' >"$dir/idle.sql"
  { echo "BEGIN;"
    echo "LOCK TABLE $(seq -s, -f 't%g' 2 $((tables + 1))) IN ACCESS SHARE MODE;"
    echo '\sleep 2000 s'; echo "COMMIT;"; } >"$dir/transaction.sql"
  echo "SELECT pg_sleep(3600);" >"$dir/sleep.sql"
  echo "ALTER TABLE t2 ADD COLUMN more int;" >"$dir/alter.sql"
  echo "SELECT count(*) FROM t2;" >"$dir/reader.sql"
  : >"$dir/pids"
  sessions 340 "$dir/idle.sql"
  sessions 560 "$dir/transaction.sql"
  sessions 50 "$dir/sleep.sql"
  pg_dump -h "$dir/socket" -p $port -U postgres load 2>"$dir/dump.log" | sleep 3600 >/dev/null 2>&1 &
  echo $! >>"$dir/pids"
  wait_for 900 "state LIKE 'idle%'"
  sessions 1 "$dir/alter.sql"
  wait_for 1 "wait_event_type = 'Lock'"
  sessions 40 "$dir/reader.sql"
  wait_for 41 "wait_event_type = 'Lock'"
  sql -At -c "SELECT count(*) || ' sessions' FROM pg_stat_activity" -c "SELECT count(*) || ' lock rows' FROM pg_locks"
  echo "PGHOST=$dir/socket PGPORT=$port PGUSER=postgres PGDATABASE=load"
}

# Until at least COUNT backends are as CONDITION says.
wait_for() {
  for _ in $(seq 300); do
    [ "$(sql -At -c "SELECT count(*) FROM pg_stat_activity WHERE $2")" -ge "$1" ] && return
    sleep 0.2
  done
  fail "the load did not come up: fewer than $1 backends with $2; see $dir"
}

stop() {
  while read -r pid; do kill "$pid" 2>/dev/null || true; done <"$dir/pids"
  as_server "$bin/pg_ctl" -s -m immediate -D "$dir/data" stop
}

# Milliseconds that a command takes, from its start to its end. 1 is an answer (it would block), 2 is none.
took() {
  local began=$EPOCHREALTIME
  "$@" >/dev/null 2>&1 || [ $? = 1 ] || fail "this failed: $*"
  local ended=$EPOCHREALTIME
  echo $(((${ended/./} - ${began/./}) / 1000))
}

# Peak memory of a command in KiB, where GNU time is there to tell.
peak() {
  [ -x /usr/bin/time ] || { echo -; return; }
  /usr/bin/time -q -f %M "$@" 2>&1 >/dev/null | tail -1
}

both_views() { sql -o /dev/null -c 'SELECT * FROM pg_stat_activity' -c 'SELECT * FROM pg_locks'; }

# In turns, so that whatever else the machine does hits all alike; then median, least and the ratio of medians.
compare() {
  local pgguard=$here/target/release/pgguard turn what
  [ -x "$pgguard" ] || fail "no $pgguard: cargo build --release"
  export PGHOST=$dir/socket PGPORT=$port PGUSER=postgres PGDATABASE=load
  printf '%s\n' 'ALTER TABLE t3 ADD COLUMN note text;' 'CREATE INDEX ON t4 (id);' 'TRUNCATE t5;' >"$dir/migration.sql"
  rm -f "$dir"/took.*
  for turn in $(seq "${TURNS:-21}"); do
    took both_views >>"$dir/took.psql"
    took "$pgguard" status --no-history >>"$dir/took.status"
    took "$pgguard" gate --no-history "$dir/migration.sql" >>"$dir/took.gate"
    took "$pgguard" --version >>"$dir/took.empty"
  done
  for what in psql status gate empty; do
    sort -n "$dir/took.$what" | awk -v what=$what -v psql="$(median "$dir/took.psql")" '
      { all[NR] = $1 }
      END { m = all[int((NR + 1) / 2)]; printf "%-8s median %5d ms   least %5d ms   %.2f of psql\n", what, m, all[1], m / psql }'
  done
  echo "peak KiB: status $(peak "$pgguard" status --no-history), gate $(peak "$pgguard" gate --no-history "$dir/migration.sql"), empty run $(peak "$pgguard" --version)"
}

median() { sort -n "$1" | awk '{ all[NR] = $1 } END { print all[int((NR + 1) / 2)] }'; }

case $action in
  start | stop | compare) $action ;;
  *) fail "no action $action" ;;
esac
