"""Replays of recorded years through the public HTTP interface, with an independent recount."""
