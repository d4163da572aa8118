"""Pages are built without waiting: whatever a service takes, the browser gets its page at once."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from types import SimpleNamespace
from typing import cast

import pytest
from nicegui import ui

from services.console import pages
from services.console.pages.context import Context

MODULES = [
    module
    for name in sorted(
        one.name for one in pkgutil.iter_modules(pages.__path__, "services.console.pages.")
    )
    if hasattr(module := importlib.import_module(name), "register")
]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__.rpartition(".")[2])
def test_a_page_is_there_before_any_service_was_asked(
    module: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[Callable[..., object]] = []
    monkeypatch.setattr(ui, "page", lambda *_, **__: built.append)
    context = SimpleNamespace(standin="there")
    module.register(cast("Context", context))  # type: ignore[attr-defined] # as all of these have
    assert not any(inspect.iscoroutinefunction(one) for one in built)
