"""How the headers of mails are written and read back: ids stay ids, however long they are.

Python's own policy takes `In-Reply-To` and `References` for prose and encodes what is longer than
a line, and no reader of mails finds the thread then. Each of them has one id here.
"""

from email import policy
from email.headerregistry import HeaderRegistry, MessageIDHeader

_REGISTRY = HeaderRegistry()
for _name in ("in-reply-to", "references"):
    _REGISTRY.map_to_type(_name, MessageIDHeader)  # type: ignore[arg-type] # a mixin

POLICY = policy.SMTP.clone(header_factory=_REGISTRY)
