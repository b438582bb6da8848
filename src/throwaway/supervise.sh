# Runs one throw-away server in the folder $1 with the programs of the folder $2; $3 is where a data directory is kept
# to be copied, or empty; $4 is where one is kept with something loaded into it, or empty; the rest are initdb's
# arguments. Ends the server and removes the folder when standard input closes, which is when the program that started
# this ends, in whatever way.
dir=$1 bin=$2 template=$3 kept=$4
shift 4
cd "$dir" || exit 1
# A handler, not '': an ignored signal would stay ignored in the server.
trap : HUP INT TERM

# Whole, or not at all: others may be at it too.
keep() {
    find "${template%/*}" -maxdepth 1 -name 'new.*' -mmin +60 -exec rm -rf {} +
    new=${template%/*}/new.${dir##*/}
    mkdir "$new" && cp -Rp data "$new/data" && [ ! -e "$template" ] && mv "$new" "$template"
    rm -rf "$new"
}

# One that is damaged, or that somebody removes meanwhile, is none.
take() {
    [ -n "$kept" ] && [ -d "$kept" ] || return 1
    if cp -Rp "$kept/data" data && sums data | cmp -s - "$kept/sums" && cp "$kept/loaded" loaded; then
        touch "$kept"
        return 0
    fi
    rm -rf data loaded "$kept"
    return 1
}

make() {
    take 2>/dev/null && return 0
    if [ -n "$template" ] && [ -d "$template/data" ]; then
        cp -Rp "$template/data" data && return 0
        rm -rf data
    fi
    "$bin/initdb" -D "$dir/data" "$@" || return 1
    [ -z "$template" ] || keep 2>/dev/null
    return 0
}

(
    trap : HUP INT TERM
    make "$@" &&
        cp pg_hba.conf data/pg_hba.conf &&
        cp data/postgresql.conf first.conf &&
        cat settings.conf >>data/postgresql.conf &&
        "$bin/postgres" -D "$dir/data"
    echo "$?" >ended
) </dev/null >log 2>&1 &

read -r _

# initdb ends by TERM, the server by QUIT: at once, its data are not wanted any more.
kill -TERM 0
tries=0
while [ ! -e ended ] && [ "$tries" -lt 200 ]; do
    server=$(head -n 1 data/postmaster.pid 2>/dev/null)
    [ -n "$server" ] && kill -QUIT "$server" 2>/dev/null
    sleep 0.05
    tries=$((tries + 1))
done
[ -e ended ] || kill -KILL "$server" 2>/dev/null
cd / && rm -rf "$dir"
