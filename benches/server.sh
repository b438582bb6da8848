# shellcheck shell=bash
# A throw-away server for a bench, which sources this. The server's programs are looked for in $PGGUARD_PG_BIN, then
# where packages put them. The bench has `fail`.
#
#   start_server PORT [SETTING…]    starts it, in $dir; PGHOST and its kin lead there
#   stop_server                     ends it and removes $dir

bin=${PGGUARD_PG_BIN:-$(printf '%s\n' /usr/lib/postgresql/*/bin /usr/pgsql-*/bin | grep -v '\*' | sort -V | tail -1)}
[ -x "$bin/postgres" ] || fail "no server binaries found: set PGGUARD_PG_BIN to their folder"
dir=$(mktemp -d)
PATH=$bin:$PATH

# Postgres refuses to run as root.
as_server() { if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi; }
sql() { psql -X -q -At "$@"; }

stop_server() {
  as_server "$bin/pg_ctl" -s -m immediate -D "$dir/data" stop || true
  rm -rf "$dir"
}

start_server() {
  export PGHOST=$dir PGPORT=$1 PGUSER=postgres PGDATABASE=postgres
  [ "$(id -u)" != 0 ] || chown postgres "$dir"
  as_server "$bin/initdb" -A trust -U postgres -D "$dir/data" --no-sync -E UTF8 --locale=C >/dev/null
  printf '%s\n' "listen_addresses = ''" "unix_socket_directories = '$dir'" "port = $1" 'fsync = off' "${@:2}" \
    >>"$dir/data/postgresql.conf"
  as_server "$bin/pg_ctl" -w -s -D "$dir/data" -l "$dir/log" start
}
