"""How Lowtide is run: on one machine without containers, with compose, on a cluster."""
