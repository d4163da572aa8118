"""The documents under docs/api say what the code does.

`LOWTIDE_WRITE_DOCUMENTS=1 make test` (or this file alone) writes them anew.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from cryptography.fernet import Fernet
from fastapi import FastAPI
from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.alerting.settings import AlertingSettings
from services.alerting.wiring import serve as alerting_serve
from services.ingest.api.app import build as build_ingest
from services.ingest.api.parts import Parts
from services.ledger.settings import LedgerSettings
from services.ledger.wiring import serve as ledger_serve
from services.notifier.settings import SecretSettings
from services.notifier.wiring import serve as notifier_serve
from shared.clock import WallClock
from shared.events.documents import asyncapi
from shared.http.auth import Keys, Scope, Verifier

DOCUMENTS = Path(__file__).resolve().parents[2] / "docs" / "api"


class _Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="LOWTIDE_", extra="ignore")

    write_documents: bool = False


def _ingest() -> FastAPI:
    # The routes need their parts only when they are asked.
    parts = cast("Parts", None)
    return build_ingest(parts, verifier=Verifier(Keys(), WallClock()), checks={})


def _notifier() -> FastAPI:
    key = SecretStr(Fernet.generate_key().decode())
    return notifier_serve.application(SecretSettings(secret_key=key))


APPLICATIONS: dict[str, Callable[[], FastAPI]] = {
    "alerting": lambda: alerting_serve.application(AlertingSettings()),
    "ingest": _ingest,
    "ledger": lambda: ledger_serve.application(LedgerSettings()),
    "notifier": _notifier,
}


def compare(name: str, document: object) -> None:
    path = DOCUMENTS / name
    text = json.dumps(document, ensure_ascii=False, indent=2) + "\n"
    if _Settings().write_documents:
        path.write_text(text, encoding="utf-8")
    assert path.exists(), f"docs/api/{name} is missing; set LOWTIDE_WRITE_DOCUMENTS=1"
    assert path.read_text(encoding="utf-8") == text, (
        f"docs/api/{name} is out of date; write it anew with LOWTIDE_WRITE_DOCUMENTS=1"
    )


def test_the_topics_document_is_current() -> None:
    compare("topics.asyncapi.json", asyncapi())


@pytest.mark.parametrize("service", sorted(APPLICATIONS))
def test_the_openapi_document_of_a_service_is_current(service: str) -> None:
    compare(f"{service}.openapi.json", APPLICATIONS[service]().openapi())


@pytest.mark.parametrize("service", sorted(APPLICATIONS))
def test_the_document_of_a_service_says_which_scopes_an_operation_needs(service: str) -> None:
    document = json.loads((DOCUMENTS / f"{service}.openapi.json").read_text(encoding="utf-8"))
    untold = [
        f"{method} {path}"
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if path.startswith("/v1/") and not names_scopes(operation)
    ]
    assert untold == []


def names_scopes(operation: dict[str, Any]) -> bool:
    """Return whether an operation says which scopes it needs, all of them or any of some."""
    text = operation.get("description", "")
    return any(each["HTTPBearer"] for each in operation["security"]) or any(
        f"`{scope}`" in text for scope in Scope
    )


def references(part: object) -> Iterator[str]:
    """Yield where a document refers to itself."""
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for each in part.values():
            yield from references(each)
    elif isinstance(part, list):
        for each in part:
            yield from references(each)


def resolves(document: object, reference: str) -> bool:
    first, *names = reference.split("/")
    for name in names:
        if not isinstance(document, dict) or name not in document:
            return False
        document = document[name]
    return first == "#"


@pytest.mark.parametrize("name", sorted(path.name for path in DOCUMENTS.glob("*.json")))
def test_what_a_document_refers_to_is_in_it(name: str) -> None:
    document = json.loads((DOCUMENTS / name).read_text(encoding="utf-8"))
    found = set(references(document))
    assert found
    assert {each for each in found if not resolves(document, each)} == set()
