#!/usr/bin/env bash
# How long a rehearsal takes on top of its command, beside what anybody could do by hand: initdb, pg_ctl start, and
# psql with the schema.
#   benches/rehearse.sh [TABLES]     500 by default; PGGUARD names the program [target/release/pgguard]
set -euo pipefail
fail() { echo "rehearse: $*" >&2; exit 1; }
. "$(dirname "$0")/server.sh"
tables=${1:-500}
pgguard=$(realpath "${PGGUARD:-target/release/pgguard}")
[ -x "$pgguard" ] || fail "no $pgguard: cargo build --release"
export PGGUARD_PG_BIN=$bin
# Only what is measured here fills the cache.
cache=$(mktemp -d)
chmod 755 "$cache"
export PGGUARD_CACHE=$cache
by_hand=$(mktemp -d)
trap 'stop_server; rm -rf "$cache" "$by_hand"' EXIT
start_server 54397
sql -c 'CREATE DATABASE shop' >/dev/null
export PGDATABASE=shop
sql -c "DO \$\$ BEGIN FOR n IN 1..$tables LOOP
  EXECUTE format('CREATE TABLE t%s (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a text, b int NOT NULL DEFAULT 0, at timestamptz)', n);
  EXECUTE format('CREATE INDEX ON t%s (at)', n);
END LOOP; END \$\$"

seconds() { local begun=$EPOCHREALTIME; "$@" >/dev/null 2>&1 || fail "failed: $*"; bc <<<"scale=2; ($EPOCHREALTIME - $begun) / 1"; }
url="postgres:///shop?host=$dir&port=54397&user=postgres"
change="psql -X -q '$url' -c 'ALTER TABLE t1 ADD COLUMN x int'"
rehearsal() { "$pgguard" rehearse -d "$url" -- sh -c "$change"; }
command_alone() { sql -c 'BEGIN; ALTER TABLE t1 ADD COLUMN x int; ROLLBACK'; }
hand() {
  rm -rf "$by_hand"/*
  chmod 777 "$by_hand"
  as_server "$bin/initdb" -A trust -U postgres -D "$by_hand/data" --no-sync -E UTF8 --locale=C
  as_server "$bin/pg_ctl" -w -s -D "$by_hand/data" -l "$by_hand/log" \
    -o "-c listen_addresses='' -c unix_socket_directories='$by_hand' -c fsync=off" start
  pg_dump -s >"$by_hand/schema.sql"
  PGHOST=$by_hand PGPORT=5432 PGDATABASE=postgres sql -f "$by_hand/schema.sql"
  as_server "$bin/pg_ctl" -s -m immediate -D "$by_hand/data" stop
}

echo "$tables tables"
echo "first rehearsal, which fills the cache   $(seconds rehearsal) s"
best=999 best_hand=999
for _ in 1 2 3; do
  now=$(seconds rehearsal); best=$(bc <<<"if ($now < $best) $now else $best")
  now=$(seconds hand); best_hand=$(bc <<<"if ($now < $best_hand) $now else $best_hand")
done
alone=$(seconds command_alone)
echo "rehearsal                                $best s, of which the command $alone s"
echo "initdb, start, pg_dump, psql by hand     $best_hand s"
echo "ratio                                    $(bc <<<"scale=2; $best / $best_hand")"
