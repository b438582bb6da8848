# shellcheck shell=bash
# The packages of a release, all made of one static program. Sourced by ./dev, whose functions it uses.
#
# They are built into target/packages/: a tarball, a Python wheel, npm packages, a .deb, an .rpm, an image (OCI), a
# list of what is inside (CycloneDX) and SHA256SUMS. SOURCE_DATE_EPOCH is the time of the last commit, so the same
# commit gives the same files as far as the tools allow.

# A row a machine that the program is made for: as Rust names it, and as Debian, RPM, npm and OCI do.
platforms='x86_64-unknown-linux-musl amd64 x86_64 x64 amd64
aarch64-unknown-linux-musl arm64 aarch64 arm64 arm64'
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
description=$(sed -n 's/^description = "\(.*\)"/\1/p' Cargo.toml)
homepage=$(sed -n 's/^repository = "\(.*\)"/\1/p' Cargo.toml)
target=${CARGO_TARGET_DIR:-$PWD/target}
output=$target/packages

# How the program is built. `./dev package --quick` takes `dev`, which is built in a third of the time.
profile=release

# The packages for these machines, as `uname -m` names them; without an argument, for all.
package() {
    [ "$(uname -sm)" = "Linux x86_64" ] || fail "packages are built on x86-64 Linux"
    need_rust
    need_compiler
    need_packagers
    SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
    export SOURCE_DATE_EPOCH
    local machines=${*:-x86_64 aarch64}
    rm -rf "$output" && mkdir -p "$output"
    # The program of this machine writes the man pages and completions of all.
    with_platform x86_64 build_static
    for machine in $machines; do
        [ "$machine" = x86_64 ] || with_platform "$machine" build_static
        say "packages for $machine"
        with_platform "$machine" pack
    done
    pack_npm_main
    (cd "$output" && find . -maxdepth 1 -type f ! -name SHA256SUMS -printf '%f\n' | sort | xargs sha256sum >SHA256SUMS)
    ls -l "$output" >&2
}

# Runs something for one machine: $triple, $deb, $machine, $node and $oci are its names.
with_platform() {
    local triple deb machine node oci
    read -r triple deb machine node oci <<<"$(grep "^$1-" <<<"$platforms")"
    [ -n "$triple" ] || fail "there is no package for '$1', only for:$(sed 's/^\([^-]*\).*/ \1/' <<<"$platforms" | tr -d '\n')"
    shift
    "$@"
}

pack() {
    local tree=$output/tree
    lay_out "$tree"
    pack_tarball "$tree"
    pack_deb "$tree"
    pack_rpm "$tree"
    pack_npm "$tree"
    pack_wheel "$tree"
    pack_image "$tree"
    list_contents
    rm -rf "$tree"
}

need_packagers() {
    have musl-gcc || apt_install musl-tools || fail "musl-gcc is missing: apt-get install musl-tools"
    have rpmbuild || apt_install rpm || fail "rpmbuild is missing: apt-get install rpm"
    { have umoci && have skopeo; } || apt_install umoci skopeo || fail "umoci and skopeo are missing: apt-get install umoci skopeo"
    have dpkg-deb || fail "dpkg-deb is missing"
    need_npm || fail "npm is missing"
    need_pip || fail "pip is missing"
    wheel=$(pip_folder wheel wheel==0.45.1)
    zig=$(pip_folder zig ziglang==0.13.0)/ziglang
}

# A folder of the cache with what pip installs.
pip_folder() {
    local folder=$PGGUARD_CACHE/$1
    if [ ! -d "$folder" ]; then
        say "fetching with pip: $2"
        rm -rf "$folder.part"
        python3 -m pip install -q --disable-pip-version-check --root-user-action=ignore --target "$folder.part" "$2" >&2 &&
            mv "$folder.part" "$folder" || fail "$1 is missing: pip install $2"
    fi
    printf '%s' "$folder"
}

# The C parts need a compiler with musl's headers, and bindgen needs the headers alone.
build_static() {
    if ! rustup target list --installed 2>/dev/null | grep -qx "$triple"; then
        say "installing rustup's target $triple"
        rustup target add "$triple" >&2 || fail "the target $triple is missing: rustup target add $triple"
    fi
    local name=${triple//-/_}
    "compiler_$machine" "$name"
    # No path of the builder's machine in the program.
    export RUSTFLAGS="--remap-path-prefix=$PWD=pgguard --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=cargo"
    say "cargo build --profile $profile --target $triple"
    cargo build --locked --quiet --profile "$profile" --target "$triple"
}

# The program that was built for machine $1 (Rust's name).
built() {
    printf '%s' "$target/$1/${profile/#dev/debug}/pgguard"
}

# musl-gcc compiles. It must not link: what it links says that it is static, and crashes.
compiler_x86_64() {
    local headers
    headers=$(dirname "$(gcc -print-file-name=include/stdbool.h)")
    export "CC_$1=musl-gcc"
    export "BINDGEN_EXTRA_CLANG_ARGS_$1=-nostdinc -isystem /usr/include/x86_64-linux-musl -isystem $headers"
}

# Zig has a C compiler for every machine, and musl's headers; Rust's own linker has musl's objects.
compiler_aarch64() {
    local libc=$zig/lib/libc/include wrappers=$target/zig
    mkdir -p "$wrappers"
    # It knows targets by other names than the one that Rust's builds pass.
    printf '#!/usr/bin/env bash\nfor word; do shift; [[ $word = --target=* ]] || set -- "$@" "$word"; done\nexec %q cc -target aarch64-linux-musl "$@"\n' "$zig/zig" >"$wrappers/cc"
    printf '#!/bin/sh\nexec %q ar "$@"\n' "$zig/zig" >"$wrappers/ar"
    chmod +x "$wrappers/cc" "$wrappers/ar"
    export "CC_$1=$wrappers/cc" "AR_$1=$wrappers/ar" "CARGO_TARGET_${1^^}_LINKER=rust-lld"
    export "BINDGEN_EXTRA_CLANG_ARGS_$1=-nostdinc -isystem $libc/aarch64-linux-musl -isystem $libc/generic-musl -isystem $zig/lib/include"
}

# What an installation has, below $1.
lay_out() {
    local native shell
    native=$(built x86_64-unknown-linux-musl)
    install -D -m 755 "$(built "$triple")" "$1/usr/bin/pgguard"
    # A release is stripped by its profile.
    [ "$profile" = release ] || strip "$1/usr/bin/pgguard"
    mkdir -p "$1/usr/share/man/man1"
    "$native" man --folder "$1/usr/share/man/man1"
    gzip -9n "$1"/usr/share/man/man1/*.1
    for shell in bash zsh fish; do "$native" completions "$shell" >"$1/$shell"; done
    install -D -m 644 "$1/bash" "$1/usr/share/bash-completion/completions/pgguard"
    install -D -m 644 "$1/zsh" "$1/usr/share/zsh/vendor-completions/_pgguard"
    install -D -m 644 "$1/fish" "$1/usr/share/fish/vendor_completions.d/pgguard.fish"
    rm "$1/bash" "$1/zsh" "$1/fish"
    install -D -m 644 README.md "$1/usr/share/doc/pgguard/README.md"
    gzip -9n <CHANGELOG.md >"$1/usr/share/doc/pgguard/changelog.gz"
    {
        printf 'Upstream: %s\nLicense: MIT or Apache-2.0, at your option\n\n' "$homepage"
        cat LICENSE-MIT
        printf '\nThe Apache License 2.0 is in /usr/share/common-licenses/Apache-2.0 on Debian.\n'
    } >"$1/usr/share/doc/pgguard/copyright"
    chmod 644 "$1"/usr/share/doc/pgguard/*
    find "$1" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
}

pack_tarball() {
    local name=pgguard-$version-$triple
    mkdir "$output/$name"
    cp -p "$1/usr/bin/pgguard" README.md LICENSE-MIT LICENSE-APACHE "$output/$name/"
    mkdir "$output/$name/man" "$output/$name/completions"
    cp -p "$1"/usr/share/man/man1/* "$output/$name/man/"
    cp -p "$1/usr/share/bash-completion/completions/pgguard" "$output/$name/completions/pgguard.bash"
    cp -p "$1/usr/share/zsh/vendor-completions/_pgguard" "$1/usr/share/fish/vendor_completions.d/pgguard.fish" "$output/$name/completions/"
    tar -C "$output" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" -c "$name" | gzip -9n >"$output/$name.tar.gz"
    rm -r "${output:?}/$name"
}

pack_deb() {
    local root=$output/deb
    cp -a "$1" "$root"
    mkdir "$root/DEBIAN"
    cat >"$root/DEBIAN/control" <<TEXT
Package: pgguard
Version: $version
Section: database
Priority: optional
Architecture: $deb
Maintainer: pgguard <packages@pgguard.dev>
Installed-Size: $(du -sk --exclude=DEBIAN "$root" | cut -f1)
Suggests: postgresql-client
Homepage: $homepage
Description: tells before a Postgres migration runs whether it would block
 pgguard reads pg_stat_activity and pg_locks, works out which locks a migration
 will request, and says whether it would block: on whom, until when, and who
 would pile up behind it. A gate for pipelines, a view for people, a plugin for
 monitoring systems.
TEXT
    dpkg-deb --root-owner-group -Zxz --build "$root" "$output/pgguard_${version}_$deb.deb" >/dev/null
    rm -r "$root"
}

pack_rpm() {
    local work=$output/rpm
    mkdir -p "$work"
    rpmbuild -bb --quiet --define "_topdir $work" --define "tree $1" --define "version $version" \
        --define "summary Tells before a Postgres migration runs whether it would block" --define "homepage $homepage" \
        --define "_build_id_links none" --define "use_source_date_epoch_as_buildtime 1" --define "_buildhost localhost" \
        --target "$machine-linux" packaging/pgguard.spec >&2
    mv "$work/RPMS/$machine"/*.rpm "$output/"
    rm -r "$work"
}

# npm installs the package of its machine alone, which holds the program.
pack_npm() {
    local work=$output/npm/linux-$node
    mkdir -p "$work/bin"
    cp -p "$1/usr/bin/pgguard" "$work/bin/"
    npm_package "$work" "{\"name\": \"@pgguard/linux-$node\", \"description\": \"pgguard for $machine Linux\",
        \"os\": [\"linux\"], \"cpu\": [\"$node\"], \"files\": [\"bin\"]}"
}

pack_npm_main() {
    local work=$output/npm/main nodes
    mkdir "$work"
    cp packaging/npm/bin.js README.md "$work/"
    nodes=$(cut -d' ' -f4 <<<"$platforms" | sed "s|.*|\"@pgguard/linux-&\": \"$version\"|" | paste -sd,)
    npm_package "$work" "{\"name\": \"pgguard\", \"description\": \"$description\",
        \"keywords\": [\"postgres\", \"postgresql\", \"migration\", \"locks\"],
        \"bin\": {\"pgguard\": \"bin.js\"}, \"files\": [\"bin.js\"], \"engines\": {\"node\": \">=16\"},
        \"optionalDependencies\": {$nodes}}"
    rm -r "$output/npm"
}

# Packs folder $1, whose package.json says $2 and what all of them say.
npm_package() {
    cp LICENSE-MIT LICENSE-APACHE "$1/"
    python3 - "$version" "$homepage" "$2" >"$1/package.json" <<'PYTHON'
import json, sys
version, homepage, own = sys.argv[1:]
common = {
    "version": version,
    "license": "MIT OR Apache-2.0",
    "repository": {"type": "git", "url": f"git+{homepage}.git"},
}
print(json.dumps({**json.loads(own), **common}, indent=2))
PYTHON
    npm pack --silent --pack-destination "$output" "$1" >/dev/null
}

# The program as a script of the wheel: `pip install` puts it on the PATH.
pack_wheel() {
    local work=$output/wheel name=pgguard-$version
    mkdir -p "$work/$name.data/scripts" "$work/$name.dist-info/licenses"
    cp -p "$1/usr/bin/pgguard" "$work/$name.data/scripts/"
    cp LICENSE-MIT LICENSE-APACHE "$work/$name.dist-info/licenses/"
    {
        printf 'Metadata-Version: 2.4\nName: pgguard\nVersion: %s\nSummary: %s\n' "$version" "$description"
        printf 'License-Expression: MIT OR Apache-2.0\nLicense-File: LICENSE-MIT\nLicense-File: LICENSE-APACHE\n'
        printf 'Project-URL: Homepage, %s\nRequires-Python: >=3.8\n' "$homepage"
        printf 'Description-Content-Type: text/markdown\n\n'
        cat README.md
    } >"$work/$name.dist-info/METADATA"
    # It is static: it runs on any Linux, whichever libc that has.
    printf 'Wheel-Version: 1.0\nGenerator: pgguard\nRoot-Is-Purelib: false\n%s\n%s\n' \
        "Tag: py3-none-manylinux2014_$machine" "Tag: py3-none-musllinux_1_1_$machine" >"$work/$name.dist-info/WHEEL"
    PYTHONPATH=$wheel python3 -m wheel pack --dest-dir "$output" "$work" >/dev/null
    rm -r "$work"
}

# What is inside, for those who look for it: the crates that the program is made of, as CycloneDX.
list_contents() {
    cargo metadata --format-version 1 --locked --filter-platform "$triple" |
        python3 -c '
import json, sys
told = json.load(sys.stdin)
root = told["resolve"]["root"]
nodes = {node["id"]: node for node in told["resolve"]["nodes"]}
reached, ahead = set(), [root]
while ahead:
    one = ahead.pop()
    if one in reached:
        continue
    reached.add(one)
    for below in nodes[one]["deps"]:
        if any(kind["kind"] is None for kind in below["dep_kinds"]):
            ahead.append(below["pkg"])
def component(package, kind):
    purl = "pkg:cargo/%s@%s" % (package["name"], package["version"])
    licence = (package["license"] or "NOASSERTION").replace("/", " OR ")
    return {"type": kind, "bom-ref": purl, "name": package["name"], "version": package["version"], "purl": purl,
            "licenses": [{"expression": " ".join(licence.split())}]}
packages = sorted((p for p in told["packages"] if p["id"] in reached), key=lambda p: (p["name"], p["version"]))
(main,) = [p for p in packages if p["id"] == root]
json.dump({"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
           "metadata": {"component": component(main, "application")},
           "components": [component(p, "library") for p in packages if p is not main]}, sys.stdout, indent=1)
print()
' >"$output/pgguard-$version-$machine.cyclonedx.json"
}

# An image of one program, certificates to trust, and a user without rights. No daemon is needed to make it.
pack_image() {
    local work=$output/oci certificates=/etc/ssl/certs/ca-certificates.crt
    [ -f "$certificates" ] || apt_install ca-certificates || fail "no certificates for the image: apt-get install ca-certificates"
    umoci init --layout "$work"
    umoci new --image "$work:$version"
    umoci insert --image "$work:$version" --rootless "$1/usr/bin/pgguard" /usr/bin/pgguard
    umoci insert --image "$work:$version" --rootless "$certificates" "$certificates"
    umoci config --image "$work:$version" --architecture "$oci" --config.entrypoint /usr/bin/pgguard --config.user 65532:65532 \
        --config.workingdir /migrations --config.env PATH=/usr/bin --created "$(date -u -d "@$SOURCE_DATE_EPOCH" +%FT%TZ)" \
        --config.label org.opencontainers.image.source="$homepage" --config.label org.opencontainers.image.version="$version" \
        --config.label org.opencontainers.image.licenses="MIT OR Apache-2.0" --config.label org.opencontainers.image.description="$description"
    skopeo copy --quiet "oci:$work:$version" "oci-archive:$output/pgguard-$version-$oci-image.tar:$version"
    rm -r "$work"
}
