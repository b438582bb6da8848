# shellcheck shell=bash
# The docs as a static site, made by MkDocs and its theme Material. Sourced by ./dev, whose functions it uses.

# Fetched with pip at pinned versions, into folder $1.
fetch_site_builder() {
    local folder
    need_pip && mkdir -p "$PGGUARD_CACHE" && folder=$(mktemp -d "$PGGUARD_CACHE/fetching-site.XXXXXX") || return 1
    say "fetching with pip: MkDocs and its theme Material"
    if python3 -m pip install -q --disable-pip-version-check --root-user-action=ignore --no-deps --target "$folder" \
        -r docs/site/requirements.txt >&2; then
        chmod -R a+rX "$folder" && rm -rf "$1" && mv "$folder" "$1" && return
    fi
    rm -rf "$folder"
    return 1
}

# Says the folder of the pages. 2: there is nothing to build it with.
build_site() {
    local builder=$PGGUARD_CACHE/site-1 work=${CARGO_TARGET_DIR:-$PWD/target}/site
    [ -d "$builder" ] || fetch_site_builder "$builder" || return 2
    rm -rf "$work" && mkdir -p "$work/pages" || return 1
    cp -R docs/. "$work/pages/" && rm -rf "$work/pages/site" "$work"/pages/*.sh "$work"/pages/*.py || return 1
    cp ARCHITECTURE.md CHANGELOG.md CONTRIBUTING.md LICENSE-MIT LICENSE-APACHE "$work/pages/" || return 1
    cp README.md "$work/pages/index.md" || return 1
    python3 docs/site/lay_out.py docs/site/mkdocs.yml "$work" || return 1
    # Not --quiet: that hides warnings from --strict.
    (cd "$work" && NO_MKDOCS_2_WARNING=1 PYTHONPATH=$builder python3 -m mkdocs build --strict --config-file mkdocs.yml) >"$work/log" 2>&1 || {
        grep -E '^(WARNING|ERROR)' "$work/log" >&2 || cat "$work/log" >&2
        return 1
    }
    printf '%s\n' "$work/html"
}
