"""Makes the pages of the repository fit for the site: links, and the list of the pages of docs/locks."""

import pathlib
import re
import sys

SOURCE = "https://github.com/pgguard/pgguard/blob/main/"


def links(page, text, pages):
    """Links from a page to other pages; what is not in the site, leads to the repository."""

    beside = pathlib.Path("docs") / page.relative_to(pages)
    origin = beside.parent if beside.is_file() else pathlib.Path()

    def replaced(found):
        target, anchor = found[1], found[2] or ""
        if re.match(r"[a-z]+:|#", target):
            return found[0]
        # README.md and its kin stand one folder above the others.
        target = re.sub(r"^(\.\./)*docs/|^(?:\.\./)+(?=[A-Z]+\.md)", "", target)
        target = "index.md" if target == "README.md" else target
        if (page.parent / target).is_file() or (pages / target).is_file():
            up = "" if (page.parent / target).is_file() else "../" * len(page.parent.relative_to(pages).parts)
            return f"]({up}{target}{anchor})"
        # What is nowhere stays as it is: MkDocs says where, and builds nothing.
        if not (origin / found[1]).exists():
            return found[0]
        return f"]({SOURCE}{target.replace('../', '')}{anchor})"

    return re.sub(r"\]\(([^)#\s]+)(#[^)\s]*)?\)", replaced, text)


def main(config, work):
    pages = pathlib.Path(work) / "pages"
    for page in pages.rglob("*.md"):
        page.write_text(links(page, page.read_text(), pages))
    listed = []
    for page in sorted((pages / "locks").glob("*.md")):
        title = page.read_text().split("\n", 1)[0].removeprefix("# ")
        listed.append(f"      - {title!r}: locks/{page.name}\n")
    text = pathlib.Path(config).read_text()
    mark = "      # ./dev docs puts the pages of docs/locks here.\n"
    assert mark in text, f"{config} has no place for the pages of docs/locks"
    (pathlib.Path(work) / "mkdocs.yml").write_text(text.replace(mark, "".join(listed)))


main(*sys.argv[1:])
