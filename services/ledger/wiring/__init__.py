"""The ledger's concrete parts, put together: the only place that names them.

One module for each role, so that a process loads the parts of its own alone.
"""
