import pytest
from pydantic import ValidationError

from shared.settings import Settings


def test_an_empty_secret_key_is_refused_since_anybody_knows_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LOWTIDE_SECRET_KEY", "")
    with pytest.raises(ValidationError, match="secret_key"):
        Settings()
