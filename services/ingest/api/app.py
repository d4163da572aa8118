"""The HTTP interface of ingest."""

from fastapi import FastAPI

from services.ingest.api import channels, events, mappings, quarantine, skus, warehouses
from services.ingest.api.parts import Parts
from shared.http import audit
from shared.http.app import create_app
from shared.http.auth import Verifier
from shared.http.probes import Check


def build(parts: Parts, *, verifier: Verifier, checks: dict[str, Check]) -> FastAPI:
    """Return the application."""
    app = create_app("ingest", verifier=verifier, checks=checks, short_ways=(events.SHORT_WAY,))
    app.state.parts = parts
    for part in (events, channels, mappings, warehouses, skus, quarantine):
        app.include_router(part.routes)
    app.include_router(audit.router)
    return app
