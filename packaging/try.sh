# shellcheck shell=bash
# Installs each package where nothing else of pgguard is, and lets it judge a real scene: a transaction that reads a
# table, and a migration that alters it. The answer must be 1, and 0 once the transaction has ended. Sourced by ./dev.

# Every way to try a package.
forms='static aarch64 tarball wheel npm deb debian installers rpm image hooks'

try_packages() {
    [ -f "$output/SHA256SUMS" ] || fail "there are no packages: ./dev package"
    (cd "$output" && sha256sum --quiet -c SHA256SUMS) || fail "a package is not what SHA256SUMS says"
    need_server
    room=$(mktemp -d "${TMPDIR:-/tmp}/pgguard-packages.XXXXXX")
    trap end_room EXIT
    chmod 755 "$room"
    start_scene
    local failed='' form
    for form in $forms; do
        say "try: $form"
        if ("try_$form"); then say "try: $form: ok"; else failed="$failed $form"; fi
    done
    [ -z "$failed" ] || fail "these packages do not work:$failed"
}

end_room() {
    exec 8>&-
    if [ -f "$room/data/postmaster.pid" ]; then
        as_server "$server_bin/pg_ctl" -D "$room/data" -m immediate stop >/dev/null || true
    fi
    rm -rf "$room"
}

# Postgres does not run as root.
as_server() {
    if is_root; then setpriv --reuid=nobody --regid=nogroup --clear-groups "$@"; else "$@"; fi
}

start_scene() {
    local bin psql
    bin=$(server_folder)
    # For the end: a function that returns inside a trap returns the status from before the trap.
    server_bin=$bin
    psql=$bin/psql
    [ -x "$psql" ] || psql=$(command -v psql) || fail "psql is missing: apt-get install postgresql-client"
    mkdir "$room/data" "$room/migrations" && chmod 755 "$room/migrations"
    if is_root; then chown nobody:nogroup "$room/data"; fi
    as_server "$bin/initdb" -D "$room/data" -U guard -A trust --no-sync >/dev/null
    as_server openssl req -new -x509 -days 2 -nodes -subj /CN=localhost -out "$room/data/server.crt" -keyout "$room/data/server.key" 2>/dev/null
    as_server chmod 600 "$room/data/server.key"
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    as_server "$bin/pg_ctl" -D "$room/data" -w -l "$room/data/log" \
        -o "-p $port -k '' -c listen_addresses=127.0.0.1 -c ssl=on -c fsync=off" start >/dev/null
    export PGHOST=127.0.0.1 PGPORT=$port PGUSER=guard PGDATABASE=postgres PGSSLMODE=require
    "$psql" -qXc 'CREATE TABLE orders (id bigint PRIMARY KEY)'
    printf 'ALTER TABLE orders ADD COLUMN total numeric(10, 2);\n' >"$room/migrations/1.sql"
    # Zones come from the program or the machine: an empty root has none.
    printf 'takes = "15m"\ntz = "Europe/Berlin"\n[[backup]]\ncron = "0 15 * * *"\ntz = "America/New_York"\n' >"$room/migrations/pgguard.toml"
    mkfifo "$room/reader"
    "$psql" -qXAt <"$room/reader" >"$room/read" &
    exec 8>"$room/reader"
}

# Judges with the command given, which sees the migrations in folder $1.
judge() {
    local folder=$1 answer
    shift
    "$@" --version | grep -q "pgguard" || return 1
    printf 'BEGIN; SELECT count(*) FROM orders;\n' >&8
    for _ in $(seq 100); do [ -s "$room/read" ] && break || sleep 0.1; done
    "$@" gate --no-history --patience 0s "$folder/1.sql" >"$room/answer" 2>&1 && answer=0 || answer=$?
    printf 'COMMIT;\n\\! : > %s\n' "$room/read" >&8
    if [ "$answer" != 1 ] || ! grep -q "WOULD BLOCK" "$room/answer"; then
        cat "$room/answer" >&2
        say "status $answer instead of 1"
        return 1
    fi
    "$@" gate --no-history --config "$folder/pgguard.toml" --wait 20s "$folder/1.sql" >"$room/answer" 2>&1 && return
    cat "$room/answer" >&2
    say "not clear once the reader is gone"
    return 1
}

# An empty folder: no libc, no certificates, no zones.
try_static() {
    local root=$room/static
    alone_in "$root" x86_64
    judge /migrations in_root "$root" /pgguard
}

# The program for 64-bit ARM, in an empty folder too, by an emulator of that machine.
try_aarch64() {
    local root=$room/aarch64
    have qemu-aarch64-static || apt_install qemu-user-static || return 1
    alone_in "$root" aarch64
    cp "$(command -v qemu-aarch64-static)" "$root/qemu"
    judge /migrations in_root "$root" /qemu /pgguard
}

# Puts the program for one machine and the migrations into an empty folder.
alone_in() {
    mkdir -p "$1/migrations"
    tar -xzf "$output"/pgguard-*-"$2"-*.tar.gz -C "$1" --strip-components=1 --wildcards '*/pgguard'
    cp "$room"/migrations/* "$1/migrations/"
}

in_root() {
    local root=$1
    shift
    as_some_root chroot "$root" "$@"
}

as_some_root() {
    if is_root; then "$@"; else unshare -r "$@"; fi
}

try_tarball() {
    mkdir "$room/tarball"
    tar -xzf "$output"/pgguard-*-x86_64-*.tar.gz -C "$room/tarball" --strip-components=1
    [ -f "$room/tarball/man/pgguard-gate.1.gz" ] && [ -f "$room/tarball/completions/pgguard.fish" ] || return 1
    judge "$room/migrations" "$room/tarball/pgguard"
}

try_wheel() {
    python3 -m pip install -q --disable-pip-version-check --root-user-action=ignore --no-index --target "$room/wheel" "$output"/*_x86_64.whl || return 1
    judge "$room/migrations" "$room/wheel/bin/pgguard"
}

try_npm() {
    mkdir "$room/npm"
    (cd "$room/npm" && printf '{"private": true}\n' >package.json &&
        npm install --silent --offline --no-audit --no-fund "$output"/pgguard-linux-x64-*.tgz "$output/pgguard-$version.tgz") || return 1
    judge "$room/migrations" "$room/npm/node_modules/.bin/pgguard"
}

try_deb() {
    mkdir -p "$room/deb/var/lib/dpkg/info" "$room/deb/var/lib/dpkg/updates" "$room/deb/var/lib/dpkg/triggers"
    touch "$room/deb/var/lib/dpkg/status"
    as_some_root dpkg --root="$room/deb" --install "$output"/*_amd64.deb >/dev/null || return 1
    [ -f "$room/deb/usr/share/man/man1/pgguard-gate.1.gz" ] || return 1
    judge "$room/migrations" "$room/deb/usr/bin/pgguard"
}

# A bare Debian, made by debootstrap: what a fresh machine has, and nothing else.
try_debian() {
    local root=$room/debian
    debian_root "$root" || return
    chroot "$root" sh -c 'dpkg --install /packages/*_amd64.deb' >/dev/null || return 1
    judge /migrations chroot "$root" pgguard
}

# A Debian with pip and rpm. Its npm is some 400 packages, which debootstrap does not configure.
try_installers() {
    local root=$room/installers
    debian_root "$root" --include=python3-pip,rpm || return
    chroot "$root" sh -c 'pip install --break-system-packages --quiet --no-index --root-user-action=ignore /packages/*_x86_64.whl' &&
        judge /migrations chroot "$root" /usr/local/bin/pgguard || return 1
    # Its libraries are Debian's, which rpm does not know; it needs none.
    chroot "$root" sh -c 'rpm --install --ignorearch /packages/*.x86_64.rpm' &&
        judge /migrations chroot "$root" /usr/bin/pgguard
}

# Makes a Debian in folder $1, with the packages and the migrations in it. It is no failure where that cannot be.
debian_root() {
    local codename mirror root=$1
    shift
    if ! is_root || ! have apt-get; then
        say "skipped: debootstrap needs root and Debian"
        exit 0
    fi
    have debootstrap || apt_install debootstrap || return 1
    codename=$(. /etc/os-release && printf '%s' "$VERSION_CODENAME")
    mirror=$(apt-get indextargets --format '$(REPO_URI)' "Codename: $codename" | head -n 1)
    debootstrap --variant=minbase "$@" "$codename" "$root" "$mirror" >"$room/debootstrap.log" 2>&1 || {
        tail -n 5 "$room/debootstrap.log" >&2
        return 1
    }
    mkdir "$root/migrations" "$root/packages"
    cp "$room"/migrations/* "$root/migrations/" && cp "$output"/*.deb "$output"/*.whl "$output"/*.tgz "$output"/*.rpm "$root/packages/"
}

# The hooks as pre-commit installs them: this repository at its last commit, and the wheel that was just made.
try_hooks() {
    local place=$room/pre-commit repository=$room/repository
    python3 -m pip install -q --disable-pip-version-check --root-user-action=ignore --target "$place" pre-commit==4.7.0 || return 1
    git init -q "$repository" && cp "$room"/migrations/1.sql "$repository/"
    printf 'repos:\n  - repo: %s\n    rev: %s\n    hooks: [{id: pgguard-explain}, {id: pgguard-gate, stages: [manual]}]\n' \
        "$PWD" "$(git rev-parse HEAD)" >"$repository/.pre-commit-config.yaml"
    git -C "$repository" add -A
    pre_commit() {
        (cd "$repository" && PRE_COMMIT_HOME=$room/hooks PIP_FIND_LINKS=$output PYTHONPATH=$place python3 -m pre_commit run --all-files --verbose "$@")
    }
    hooked() {
        if [ "$1" = --version ]; then echo pgguard; else pre_commit --hook-stage manual pgguard-gate; fi
    }
    pre_commit pgguard-explain >"$room/explained" || { cat "$room/explained" >&2 && return 1; }
    grep -q 'ACCESS EXCLUSIVE on public.orders' "$room/explained" || return 1
    judge "$room/migrations" hooked
}

try_rpm() {
    mkdir "$room/rpm"
    as_some_root rpm --root "$room/rpm" --install "$output"/*.x86_64.rpm || return 1
    judge "$room/migrations" "$room/rpm/usr/bin/pgguard"
}

try_image() {
    skopeo copy --quiet "oci-archive:$(echo "$output"/*-amd64-image.tar)" "oci:$room/layout:$version" || return 1
    umoci unpack --image "$room/layout:$version" --rootless "$room/image" || return 1
    grep -q '"/usr/bin/pgguard"' "$room/image/config.json" || return 1
    mkdir -p "$room/image/rootfs/migrations"
    cp "$room"/migrations/* "$room/image/rootfs/migrations/"
    judge /migrations in_root "$room/image/rootfs" /usr/bin/pgguard
}
