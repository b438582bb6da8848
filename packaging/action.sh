#!/usr/bin/env bash
# What the GitHub Action does: fetches the release, checks it, runs it, and passes its exit status on.
set -euo pipefail

fail() {
    # Standard output may be captured here; the runner reads its commands from both.
    printf '::error title=pgguard::%s\n' "$1" >&2
    exit 2
}

# Installs the release and prints the program's path. A pgguard that is installed in that version is taken as it is.
install_release() {
    local name place releases
    name=pgguard-$INPUT_VERSION-$(uname -m)-unknown-linux-musl
    if command -v pgguard >/dev/null && [ "$(pgguard --version)" = "pgguard $INPUT_VERSION" ]; then
        command -v pgguard
        return
    fi
    case $(uname -sm) in
        "Linux x86_64" | "Linux aarch64") ;;
        *) fail "the action runs on Linux, x86-64 or 64-bit ARM; install pgguard yourself before it" ;;
    esac
    releases=${PGGUARD_RELEASES:-https://github.com/pgguard/pgguard/releases/download}
    place=$(mktemp -d "${RUNNER_TEMP:-/tmp}/pgguard.XXXXXX")
    curl -fsSL --retry 3 -o "$place/$name.tar.gz" "$releases/v$INPUT_VERSION/$name.tar.gz" || fail "there is no release $INPUT_VERSION"
    if [ -n "$INPUT_SHA256" ]; then
        printf '%s  %s\n' "$INPUT_SHA256" "$name.tar.gz" >"$place/sums"
    else
        curl -fsSL --retry 3 "$releases/v$INPUT_VERSION/SHA256SUMS" | grep -F "  $name.tar.gz" >"$place/sums" || fail "SHA256SUMS does not name $name.tar.gz"
    fi
    (cd "$place" && sha256sum --quiet -c sums >&2) || fail "$name.tar.gz is not the file that its SHA-256 names"
    tar -xzf "$place/$name.tar.gz" -C "$place"
    printf '%s\n' "$place/$name/pgguard"
}

# Adds the lines of a text to `arguments`, each after the option named, if one is.
each_line() {
    local line
    while IFS= read -r line; do
        [ -z "$line" ] || arguments+=(${2:+"$2"} "$line")
    done <<<"$1"
}

program=$(install_release)
case $INPUT_COMMAND in
    gate | explain | check | status) arguments=("$INPUT_COMMAND") ;;
    *) fail "command is $INPUT_COMMAND: gate, explain, check or status" ;;
esac
# explain and status know no annotations.
case $INPUT_COMMAND:$INPUT_FORMAT in
    gate:*) arguments+=(--format "$INPUT_FORMAT") && each_line "$INPUT_TARGET" --target ;;
    explain:json | status:json) arguments+=(--format json) ;;
esac
[ -z "$INPUT_WAIT" ] || [ "$INPUT_COMMAND" != gate ] || arguments+=(--wait "$INPUT_WAIT")
each_line "$INPUT_ARGS"
case $INPUT_COMMAND in
    check) each_line "$INPUT_MIGRATION" --migration ;;
    status) ;;
    *) arguments+=(--) && each_line "$INPUT_MIGRATION" ;;
esac
# Not on the command line, where other processes would see its password.
[ -z "$INPUT_DATABASE_URL" ] || export DATABASE_URL=$INPUT_DATABASE_URL

report=$(mktemp "${RUNNER_TEMP:-/tmp}/pgguard-report.XXXXXX")
status=0
"$program" "${arguments[@]}" | tee "$report" || status=${PIPESTATUS[0]}
{
    printf 'status=%s\n' "$status"
    printf 'report=%s\n' "$report"
} >>"${GITHUB_OUTPUT:-/dev/null}"
exit "$status"
