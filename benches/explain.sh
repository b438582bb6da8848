#!/usr/bin/env bash
# How long `pgguard explain` takes on a small and on a large database, and on a file of 1,000 statements.
#
#   benches/explain.sh [PGGUARD]    default: target/release/pgguard (build it with cargo build --release)
#
# Starts a throw-away server with two databases, of SMALL (500) and of LARGE (50000) tables, each table with
# two indexes, and every second one with a foreign key. Prints medians of RUNS (21) calls and their ratio,
# and judges nothing: what is fast depends on the machine. The server's programs are looked for in
# $PGGUARD_PG_BIN, then where packages put them. Needs about 5 GB where temporary files go.
set -euo pipefail

fail() { echo "explain.sh: $*" >&2; exit 1; }

here=$(cd "$(dirname "$0")/.." && pwd)
pgguard=${1:-$here/target/release/pgguard}
small=${SMALL:-500} large=${LARGE:-50000} runs=${RUNS:-21}
[ -x "$pgguard" ] || fail "$pgguard is not there: cargo build --release, or name the program"
# shellcheck source=benches/server.sh
. "$here/benches/server.sh"

start() {
  trap stop_server EXIT
  start_server 54331 'autovacuum = off' 'max_locks_per_transaction = 4096' 'max_wal_size = 8GB'
}

# A database of COUNT tables.
database() {
  sql -c "CREATE DATABASE $1"
  sql -d "$1" -c "DO \$\$ BEGIN FOR i IN 1..$2 LOOP
      EXECUTE format('CREATE TABLE t%s (id bigint PRIMARY KEY, parent bigint, name text, at timestamptz DEFAULT now())', i);
      EXECUTE format('CREATE INDEX t%s_name ON t%1\$s (name)', i);
      IF i % 2 = 0 THEN
        EXECUTE format('ALTER TABLE t%s ADD FOREIGN KEY (parent) REFERENCES t%s', i, i - 1);
      END IF;
      IF i % 1000 = 0 THEN COMMIT; END IF;
    END LOOP; END \$\$" -c "VACUUM ANALYZE"
}

# The median of RUNS calls on a database and a file, in milliseconds.
median() {
  local begun i
  for ((i = 0; i < runs; i++)); do
    begun=$(date +%s%N)
    "$pgguard" explain --format json -d "dbname=$1" "$2" >"$dir/answer" || fail "explain failed on $2"
    echo $((($(date +%s%N) - begun) / 10000))
  done | sort -n | awk '{ all[NR] = $1 } END { printf "%.1f", all[int((NR + 1) / 2)] / 100 }'
}

files() {
  echo "ALTER TABLE t2 ADD COLUMN more int;" >"$dir/add.sql"
  echo "DROP TABLE t1 CASCADE;" >"$dir/drop.sql"
  echo "ALTER TABLE t4 ADD FOREIGN KEY (parent) REFERENCES t5;" >"$dir/reference.sql"
  echo "CREATE INDEX CONCURRENTLY i ON t2 (at);" >"$dir/index.sql"
  for i in $(seq 1000); do
    case $((i % 4)) in
      0) echo "ALTER TABLE t$((i % 500 + 1)) ADD COLUMN c$i int DEFAULT 1;" ;;
      1) echo "CREATE INDEX i$i ON t$((i % 500 + 1)) (name, at);" ;;
      2) echo "CREATE TABLE n$i (id int PRIMARY KEY, t bigint REFERENCES t$((i % 500 + 1)));" ;;
      3) echo "UPDATE t$((i % 500 + 1)) SET name = name || '!' WHERE id = $i;" ;;
    esac
  done >"$dir/thousand.sql"
}

start
database small "$small"
database large "$large"
files
printf '%-16s %10s %10s %7s\n' "milliseconds" "$small" "$large" ratio
for file in add drop reference index thousand; do
  a=$(median small "$dir/$file.sql") b=$(median large "$dir/$file.sql")
  printf '%-16s %10s %10s %7s\n' "$file" "$a" "$b" "$(awk "BEGIN { printf \"%.2f\", $b / $a }")"
done
