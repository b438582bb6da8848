# shellcheck shell=bash
# A release: its number in every file that names one, its heading in the changelog, a commit and a tag. Nothing leaves
# this machine. Sourced by ./dev, whose functions it uses.

# The files that name the version. Cargo.lock names it too, below the name of the package.
numbered="Cargo.toml pyproject.toml action.yml templates/gate.yml docs/pipelines.md"

release() {
    local next=${1:-} now today
    [[ $next =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]] || fail "a release has a number of three parts: ./dev release 1.2.3"
    now=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
    [ "$(printf '%s\n%s\n' "$now" "$next" | sort -V | tail -n 1)" = "$next" ] && [ "$now" != "$next" ] ||
        fail "$next is no later than $now, which this is already"
    [ -z "$(git status --porcelain)" ] || fail "there are changes that are not committed: git status"
    [ -z "$(git tag --list "v$next")" ] || fail "the tag v$next is there already"
    today=$(date -u +%F)
    python3 - "$now" "$next" "$today" $numbered <<'PYTHON' || fail "nothing was changed"
import pathlib, re, sys

now, next, today, *numbered = sys.argv[1:]
changed = {}
for name in numbered:
    text = pathlib.Path(name).read_text()
    # Cargo.toml names the versions of others as well: only the first line of its own.
    count = 1 if name == "Cargo.toml" else 0
    changed[name], times = re.subn(rf"(?<![\d.]){re.escape(now)}(?![\d.]*\d)", next, text, count=count)
    if not times:
        sys.exit(f"dev: {name} does not name {now}")
lock = pathlib.Path("Cargo.lock").read_text()
changed["Cargo.lock"], times = re.subn(rf'(name = "pgguard"\nversion = )"{re.escape(now)}"', rf'\1"{next}"', lock)
if times != 1:
    sys.exit(f"dev: Cargo.lock does not name pgguard {now}")
log = pathlib.Path("CHANGELOG.md").read_text()
found = re.search(r"^## \[Unreleased\]\n(.*?)(?=^## \[|\Z)", log, re.M | re.S)
if not found or not found[1].strip():
    sys.exit("dev: CHANGELOG.md has nothing below [Unreleased]")
heading = f"## [Unreleased]\n\n## [{next}] - {today}\n"
changed["CHANGELOG.md"] = log[: found.start()] + heading + found[1] + log[found.end() :]
for name, text in changed.items():
    pathlib.Path(name).write_text(text)
PYTHON
    git commit -qam "Release $next"
    git tag -a "v$next" -m "pgguard $next"
    say "this is pgguard $next, tagged v$next; nothing is pushed"
    cat <<TEXT
./dev test && ./dev package
git push origin HEAD v$next
gh release create v$next --verify-tag target/packages/*
TEXT
}
