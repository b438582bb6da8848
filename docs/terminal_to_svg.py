"""Draws what a terminal shows: `tmux capture-pane -ep | terminal_to_svg.py COLUMNS` writes an SVG."""

import re
import sys
from html import escape

WIDTH, HEIGHT, MARGIN = 8.4, 18, 12
PAPER, INK = "#1e1e2e", "#cdd6f4"
COLORS = {31: "#f38ba8", 32: "#a6e3a1", 33: "#f9e2af", 34: "#89b4fa", 35: "#f5c2e7", 36: "#94e2d5"}


def runs(line, style):
    """The pieces of a line that look alike, each with its style; the style goes on with the next line."""
    for piece in re.split(r"(\x1b\[[0-9;]*m)", line):
        codes = re.fullmatch(r"\x1b\[([0-9;]*)m", piece)
        if not codes:
            if piece:
                yield piece, dict(style)
            continue
        # tmux says the first eight colours in two ways.
        plain = re.sub(r"38;5;([0-7])\b", r"3\1", codes[1])
        for code in (int(c or 0) for c in plain.split(";")):
            if code == 0:
                style.clear()
            elif code in COLORS:
                style["color"] = COLORS[code]
            elif code == 39:
                style.pop("color", None)
            elif code in (1, 2, 7):
                style[{1: "bold", 2: "faint", 7: "reverse"}[code]] = True
            elif code == 22:
                style.pop("bold", None), style.pop("faint", None)
            elif code == 27:
                style.pop("reverse", None)


def drawn(text, style, x, y):
    color = style.get("color", INK)
    box = ""
    if style.get("reverse"):
        box = f'<rect x="{x:.1f}" y="{y - 13}" width="{len(text) * WIDTH:.1f}" height="{HEIGHT}" fill="{color}"/>'
        color = PAPER
    marks = ' font-weight="bold"' if style.get("bold") else ""
    marks += ' opacity="0.6"' if style.get("faint") else ""
    return (
        f'{box}<text x="{x:.1f}" y="{y}" fill="{color}"{marks} textLength="{len(text) * WIDTH:.1f}" '
        f'xml:space="preserve">{escape(text)}</text>'
    )


def main():
    columns = int(sys.argv[1])
    lines = sys.stdin.read().rstrip("\n").split("\n")
    width, height = columns * WIDTH + 2 * MARGIN, len(lines) * HEIGHT + 2 * MARGIN
    print(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" '
          f'font-family="ui-monospace, Menlo, Consolas, \'DejaVu Sans Mono\', monospace" font-size="14">')
    print(f'<rect width="100%" height="100%" rx="8" fill="{PAPER}"/>')
    style = {}
    for row, line in enumerate(lines):
        column, y = 0, MARGIN + row * HEIGHT + 13
        for text, look in runs(line, style):
            if text.strip() or look.get("reverse"):
                print(drawn(text, look, MARGIN + column * WIDTH, y))
            column += len(text)
    print("</svg>")


main()
