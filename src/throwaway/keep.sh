# Keeps the data directory of the server in the folder $1, in which nobody is at work, as $2. Standard input says what
# was loaded into it. Whole, or not at all: others may be at it too. The few that were used last stay, and none that is
# large.
dir=$1 kept=$2
folder=${kept%/*}
new=$folder/new.${dir##*/}.loaded
umask 077
find "$folder" -maxdepth 1 -name 'new.*' -mmin +60 -exec rm -rf {} +
if [ "$(du -sk "$dir/data" | cut -f 1)" -gt 524288 ] || ! mkdir "$new"; then
    cat >/dev/null
    exit 1
fi
if cat >"$new/loaded" && cp -Rp "$dir/data" "$new/data" && cp "$dir/first.conf" "$new/data/postgresql.conf"; then
    rm -rf "$new/data/log" "$new/data/postmaster.pid" "$new/data/postmaster.opts"
    sums "$new/data" >"$new/sums"
    [ ! -e "$kept" ] || mv "$kept" "$new.old"
    mv "$new" "$kept"
fi
rm -rf "$new" "$new.old"
ls -1dt "$folder"/loaded-* | tail -n +5 | while read -r old; do
    mv "$old" "$new.old" && rm -rf "$new.old"
done
[ -e "$kept" ]
