"""A received message as HTML: WeCom's small markdown, or plain text with its links.

Everything is escaped first, so whatever a message says, it stays text.
"""

import re

from markupsafe import Markup, escape

_COLOUR = re.compile(r"&lt;font color=&#34;(warning|info|comment)&#34;&gt;(.*?)&lt;/font&gt;")
_LINK = re.compile(r"\[([^\]]*)\]\((https?://[^)\s]+)\)")
_BARE_LINK = re.compile(r"(?<![\"(>])\bhttps?://[^\s<>&]+")
_BOLD = re.compile(r"\*\*(.+?)\*\*")
_HEADING = re.compile(r"^#{1,6} ")


def html(kind: str, text: str) -> Markup:
    """Return a message's text as HTML; `kind` is WeCom's message type, or `email`."""
    if kind.startswith("markdown"):
        lines = "".join(_line(line) for line in text.splitlines() if line.strip())
        return Markup(lines)  # noqa: S704 - built from escaped text above
    return Markup(_with_links(str(escape(text.strip()))))  # noqa: S704 - escaped here


def _line(line: str) -> str:
    if _HEADING.match(line):
        return f"<h3>{_inline(_HEADING.sub('', line))}</h3>"
    if line.startswith(">"):
        return f"<blockquote>{_inline(line[1:].strip())}</blockquote>"
    return f"<p>{_inline(line)}</p>"


def _inline(text: str) -> str:
    coloured = _COLOUR.sub(r'<span class="\1">\2</span>', str(escape(text)))
    linked = _LINK.sub(r'<a href="\2">\1</a>', coloured)
    return _BOLD.sub(r"<strong>\1</strong>", linked)


def _with_links(text: str) -> str:
    return _BARE_LINK.sub(lambda found: f'<a href="{found[0]}">{found[0]}</a>', text)
