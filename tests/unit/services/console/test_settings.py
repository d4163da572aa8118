"""What the console starts with."""

import pytest
from pydantic import ValidationError

from services.console.settings import ConsoleSettings


@pytest.mark.parametrize("secret", ["", "a" * 31])
def test_a_secret_that_somebody_could_guess_is_refused_and_not_repeated(
    secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOWTIDE_CONSOLE_SECRET", secret)
    monkeypatch.setenv("LOWTIDE_SERVICE_TOKEN", "a token of ours")
    with pytest.raises(ValidationError) as refused:
        ConsoleSettings()
    assert "console_secret" in str(refused.value)
    assert "aaaa" not in str(refused.value)
    assert "token of ours" not in str(refused.value)


def test_settings_that_are_missing_do_not_show_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOWTIDE_CONSOLE_SECRET", raising=False)
    monkeypatch.setenv("LOWTIDE_DATABASE_URL", "postgresql://console:word@db/lowtide")
    with pytest.raises(ValidationError) as refused:
        ConsoleSettings()
    assert "word@db" not in str(refused.value)
