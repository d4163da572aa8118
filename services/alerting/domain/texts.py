"""What people write: text in every language, but for what the database cannot hold."""

from typing import Annotated

from pydantic import StringConstraints

NO_NUL = r"^[^\x00]*$"
"""NUL is the one character that PostgreSQL cannot hold."""

Words = Annotated[
    str, StringConstraints(min_length=1, max_length=2_000, strip_whitespace=True, pattern=NO_NUL)
]
Text = Annotated[Words, StringConstraints(max_length=200)]
Label = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=NO_NUL)]

Name = Annotated[
    str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")
]
"""Of a person, a supplier, a playbook: one line."""
