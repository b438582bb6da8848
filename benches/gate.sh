#!/usr/bin/env bash
# How often `pgguard gate` is not green next to an ordinary load, and why.
#
#   benches/gate.sh [PGGUARD]    default: target/release/pgguard (build it with cargo build --release)
#
# Starts a throw-away server with pgbench's tables (SCALE, 10), runs each of LOADS with CLIENTS (20) clients, and asks
# GATES (100) times about each of MIGRATIONS. Prints how many answers were CLEAR (0), WOULD BLOCK (1) and CANNOT TELL
# (2), and every different reason with its count (pids left out). It judges nothing: an ALTER of a table that the load
# writes may well wait. The server's programs are looked for in $PGGUARD_PG_BIN, then where packages put them.
set -euo pipefail

fail() { echo "gate.sh: $*" >&2; exit 1; }

here=$(cd "$(dirname "$0")/.." && pwd)
pgguard=${1:-$here/target/release/pgguard}
gates=${GATES:-100} clients=${CLIENTS:-20} scale=${SCALE:-10}
loads=${LOADS:-"tpcb serial temp savepoint lock copy"}
migrations=${MIGRATIONS:-"idle busy own create concurrently grant function"}
[ -x "$pgguard" ] || fail "$pgguard is not there: cargo build --release, or name the program"
# shellcheck source=benches/server.sh
. "$here/benches/server.sh"

load=
finish() {
  [ -z "$load" ] || kill "$load" 2>/dev/null || true
  stop_server
}

start() {
  trap finish EXIT
  start_server 54333
  pgbench -q -i -s "$scale" >/dev/null 2>&1
  sql -c 'CREATE TABLE idle (id int); CREATE TABLE own (id int); CREATE ROLE app_web' \
    -c 'CREATE TABLE journal (id bigserial PRIMARY KEY, what text, at timestamptz DEFAULT now())' \
    -c 'CREATE TABLE locked (id int); INSERT INTO locked VALUES (1)' \
    -c "CREATE FUNCTION area() RETURNS int LANGUAGE sql AS 'SELECT 1'" \
    -c "CREATE FUNCTION tally() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN nextval(''journal_id_seq''); END'"
}

# What the clients run; tpcb is pgbench's own.
script() {
  case $1 in
    tpcb) ;;
    serial) printf '%s\n' 'BEGIN;' "INSERT INTO journal (what) VALUES ('order');" 'SELECT tally();' 'END;' ;;
    temp) printf '%s\n' 'BEGIN;' 'CREATE TEMP TABLE mine (id int, name text) ON COMMIT DROP;' \
      "INSERT INTO mine SELECT i, 'x' FROM generate_series(1, 50) i;" 'CREATE INDEX ON mine (id);' \
      "INSERT INTO journal (what) SELECT name FROM mine LIMIT 3;" 'END;' ;;
    savepoint) printf '%s\n' 'BEGIN;' 'SAVEPOINT a;' "INSERT INTO journal (what) VALUES ('a');" 'ROLLBACK TO a;' \
      'SELECT id FROM journal LIMIT 1 FOR UPDATE SKIP LOCKED;' 'END;' ;;
    lock) printf '%s\n' 'BEGIN;' 'LOCK TABLE locked IN ACCESS EXCLUSIVE MODE;' 'SELECT count(*) FROM locked;' 'END;' ;;
    copy) printf '%s\n' 'BEGIN;' "SELECT lo_create(0);" "COPY journal (what) FROM PROGRAM 'echo a';" \
      'SELECT pg_notify($$jobs$$, $$new$$);' 'SELECT pg_current_xact_id();' 'END;' ;;
  esac
}

migration() {
  case $1 in
    idle) echo 'ALTER TABLE idle ADD COLUMN note text;' ;;
    busy) echo 'ALTER TABLE pgbench_accounts ADD COLUMN note text; ALTER TABLE journal ADD COLUMN note text;' ;;
    own) echo 'INSERT INTO own VALUES (1);' ;;
    create) echo 'CREATE TABLE fresh (id int PRIMARY KEY); CREATE INDEX ON fresh (id);' ;;
    concurrently) echo 'CREATE INDEX CONCURRENTLY i ON idle (id);' ;;
    grant) echo 'GRANT SELECT ON idle TO app_web;' ;;
    function) echo "CREATE OR REPLACE FUNCTION area() RETURNS int LANGUAGE sql AS 'SELECT 2';" ;;
  esac
}

# A reason without what differs from one session to the next.
reasons() { sed -E 's/pid [0-9]+/pid N/g; s/[0-9.]+ (ms|s)\b/T/g' | sort | uniq -c | sort -rn | head -5 | sed 's/^/    /'; }

# Asks GATES times about one migration.
ask() {
  local status i
  declare -A said=([0]=0 [1]=0 [2]=0)
  migration "$2" >"$dir/$2.sql"
  : >"$dir/why"
  for ((i = 0; i < gates; i++)); do
    status=0
    "$pgguard" gate --no-history --format json "$dir/$2.sql" >"$dir/answer" 2>&1 || status=$?
    said[$status]=$((${said[$status]:-0} + 1))
    [ $status = 0 ] || grep -oE '"(what|detail)": ?"[^"]*"' "$dir/answer" >>"$dir/why" || cat "$dir/answer" >>"$dir/why"
  done
  printf '%-10s %-13s %6d %6d %6d\n' "$1" "$2" "${said[0]}" "${said[1]}" "${said[2]}"
  reasons <"$dir/why"
}

start
printf 'Postgres %s\n%-10s %-13s %6s %6s %6s\n' "$(sql -c 'SHOW server_version')" load migration clear block doubt
for name in $loads; do
  script "$name" >"$dir/$name.script"
  from=()
  [ "$name" = tpcb ] || from=(-f "$dir/$name.script")
  pgbench -n -c "$clients" -j 2 -T 100000 "${from[@]}" >"$dir/load.log" 2>&1 &
  load=$!
  sleep 1
  for one in $migrations; do ask "$name" "$one"; done
  kill -0 "$load" 2>/dev/null || fail "the load ended: $(tail -1 "$dir/load.log")"
  kill "$load"
  wait "$load" 2>/dev/null || true
  load=
done
