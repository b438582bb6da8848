#!/usr/bin/env bash
# Makes the pictures of the README: real commands on the demo's server, in a real terminal, as SVG.
#
#   docs/pictures.sh [PGGUARD]    default: target/debug/pgguard
#
# Needs tmux, python3 and psql. The server and the terminal are gone afterwards.
set -euo pipefail

fail() { echo "pictures.sh: $*" >&2; exit 1; }

here=$(cd "$(dirname "$0")" && pwd)
pgguard=$(realpath "${1:-$here/../target/debug/pgguard}")
[ -x "$pgguard" ] || fail "$pgguard is not there: cargo build, or name the program"
for program in tmux python3 psql; do
  command -v "$program" >/dev/null || fail "$program is missing: install it"
done
folder=$(mktemp -d)
terminal() { tmux -L pgguard-pictures -f /dev/null "$@"; }

finish() {
  terminal kill-server 2>/dev/null || true
  rm -rf "$folder"
}
trap finish EXIT

# Until the screen of SESSION shows PATTERN.
until_shown() {
  for _ in $(seq 300); do
    terminal capture-pane -p -S -300 -t "$1" | grep -q "$2" && return
    sleep 0.2
  done
  fail "the terminal never showed $2"
}

# A picture NAME of COMMAND in WIDTH columns, once its screen shows PATTERN.
picture() {
  local name=$1 width=$2 height=$3 pattern=$4 command=$5
  terminal new-session -d -s "$name" -x "$width" -y "$height" \
    "cd '$folder'; export PATH='$(dirname "$pgguard")':\$PATH PGGUARD_HISTORY='$folder/history.sqlite'; \
     export PGHOST='$PGHOST' PGPORT=$PGPORT PGUSER=$PGUSER PGDATABASE=$PGDATABASE; clear; $command; sleep 60"
  until_shown "$name" "$pattern"
  sleep 0.5
  terminal capture-pane -ep -t "$name" | python3 "$here/terminal_to_svg.py" "$width" >"$here/pictures/$name.svg"
  terminal kill-session -t "$name"
}

mkdir -p "$here/pictures"
terminal new-session -d -s demo -x 200 -y 50 "'$pgguard' demo --keep"
until_shown demo 'Press Enter to continue'
url=$(terminal capture-pane -p -J -S -300 -t demo | grep -o "postgres:///[^']*" | head -1)
PGHOST=${url#*host=} PGPORT=${url#*port=}
PGHOST=${PGHOST%%&*} PGPORT=${PGPORT%%&*}
export PGHOST PGPORT PGUSER=postgres PGDATABASE=shop
printf '%s\n' 'SET lock_timeout = '"'5s'"';' 'ALTER TABLE orders ADD COLUMN total numeric(10, 2);' \
  >"$folder/0057_add_order_total.sql"

# A few looks, so that something is known of the dump's pace.
for _ in 1 2 3; do "$pgguard" status --history "$folder/history.sqlite" >/dev/null; sleep 1; done
picture gate 96 16 '^  do' "printf '\$ pgguard gate 0057_add_order_total.sql\n'; pgguard gate 0057_add_order_total.sql"
# A real Rails where there is one.
migrate() {
  if ruby -e 'require "pg"; require "active_record"' 2>/dev/null; then
    local app=$folder/app rails=$here/../tests/projects/rails
    mkdir "$app"
    cp -r "$rails/Rakefile" "$rails/bin" "$rails/config" "$rails/steps/all/db" "$app"
    sed -i "s#{host}#$PGHOST#; s#{port}#$PGPORT#; s#{user}#$PGUSER#; s#{password}#x#; s#{database}#$PGDATABASE#" \
      "$app/config/database.yml"
    (cd "$app" && RAILS_ENV=production exec ruby bin/rails db:migrate >"$folder/rails.log" 2>&1)
  else
    PGAPPNAME=deploy psql -q -c 'ALTER TABLE orders ADD COLUMN total numeric(10, 2)'
  fi
}

# Until so many sessions wait for a lock.
until_waiting() {
  for _ in $(seq 300); do
    [ "$(psql -XAtc "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")" -ge "$1" ] && return
    sleep 0.2
  done
  fail "there were never $1 sessions that wait"
}

migrate || true &
until_waiting 1
for id in $(seq 40); do
  PGAPPNAME=puma psql -q -o /dev/null -c "SELECT status FROM orders WHERE id = $id" &
done
until_waiting 41
picture status 104 22 'monitoring' "printf '\$ pgguard status\n'; pgguard status"
picture watch 110 26 'OUTAGE' 'pgguard status --watch'
terminal send-keys -t demo Enter
wait
