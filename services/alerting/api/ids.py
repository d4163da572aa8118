"""Ids in paths."""

from typing import Annotated

from fastapi import Path

MadeId = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
"""Of what is made here: whoever makes it chooses."""

GivenId = Annotated[str, Path(pattern=r"^[^|\x00-\x1f\x7f]{1,128}$")]
"""Of who and what has one elsewhere already, such as a sign-in or a supplier's code."""
