"""WeCom's small markdown as HTML, so that a page can show a message as the group sees it."""

import html
import re

_COLOURS = {"warning": "#b54708", "info": "#067647", "comment": "#667085"}
_FONT = re.compile(r"&lt;font color=&quot;(\w+)&quot;&gt;(.*?)&lt;/font&gt;")
_LINK = re.compile(r"\[([^\]]*)\]\((https?://[^)\s]+)\)")
_BOLD = re.compile(r"\*\*(.+?)\*\*")
_HEADING = re.compile(r"^(#{1,6}) (.*)$")


def to_html(markdown: str) -> str:
    """Return HTML for headings, quotes, bold, links and coloured fonts; all else is text."""
    return "".join(_line(line) for line in markdown.splitlines() if line.strip())


def _line(line: str) -> str:
    if heading := _HEADING.match(line):
        return f"<h4>{_inline(heading[2])}</h4>"
    if line.startswith(">"):
        return f"<blockquote>{_inline(line[1:].strip())}</blockquote>"
    return f"<p>{_inline(line)}</p>"


def _inline(text: str) -> str:
    escaped = html.escape(text)
    coloured = _FONT.sub(
        lambda found: (
            f'<span style="color:{_COLOURS.get(found[1], _COLOURS["comment"])}">{found[2]}</span>'
        ),
        escaped,
    )
    linked = _LINK.sub(r'<a href="\2" rel="noopener">\1</a>', coloured)
    return _BOLD.sub(r"<strong>\1</strong>", linked)
