import asyncpg
import pytest
from asyncpg.exceptions._base import DataError as BadArgument
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from shared.database.engine import (
    DATABASE_ERRORS,
    asking,
    causes,
    is_away,
    is_retryable,
    is_too_slow,
    passing,
)
from shared.errors import Unavailable


def wrapped(error: Exception) -> DBAPIError:
    """Return an error as SQLAlchemy hands it on: the driver's own is the cause of its `orig`."""
    translated = Exception("translated")
    translated.__cause__ = error
    return DBAPIError("SELECT 1", {}, translated)


AWAY: list[Exception] = [
    ConnectionRefusedError(),
    ConnectionResetError(),
    TimeoutError(),
    PoolTimeout(),
    asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation"),
    asyncpg.InterfaceError("connection is closed"),
    asyncpg.InternalClientError("cannot switch to state"),
    asyncpg.CannotConnectNowError("the database system is starting up"),
    asyncpg.AdminShutdownError("terminating connection"),
    asyncpg.CrashShutdownError("terminating connection"),
    asyncpg.TooManyConnectionsError("sorry, too many clients already"),
]
RETRYABLE: list[Exception] = [
    asyncpg.DeadlockDetectedError("deadlock detected"),
    asyncpg.SerializationError("could not serialize access"),
    asyncpg.LockNotAvailableError("canceling statement due to lock timeout"),
]
NEITHER: list[Exception] = [
    BadArgument("invalid input for query argument $1"),
    asyncpg.InterfaceError("another operation is in progress"),
    asyncpg.UniqueViolationError("duplicate key"),
    asyncpg.CharacterNotInRepertoireError("invalid byte sequence"),
    asyncpg.QueryCanceledError("canceling statement due to statement timeout"),
    asyncpg.UndefinedTableError("relation does not exist"),
]


def _name(error: Exception) -> str:
    return type(error).__name__


@pytest.mark.parametrize("error", AWAY, ids=_name)
def test_a_database_that_is_gone_is_away_and_not_to_be_repeated_blindly(error: Exception) -> None:
    assert is_away(error)
    assert is_away(wrapped(error))
    assert not is_retryable(error)


@pytest.mark.parametrize("error", RETRYABLE, ids=_name)
def test_a_transaction_that_was_rolled_back_may_be_repeated(error: Exception) -> None:
    assert is_retryable(error)
    assert is_retryable(wrapped(error))
    assert not is_away(error)


@pytest.mark.parametrize("error", NEITHER, ids=_name)
def test_a_mistake_of_ours_is_neither_an_absence_nor_to_be_repeated(error: Exception) -> None:
    for each in (error, wrapped(error)):
        assert not is_away(each)
        assert not is_retryable(each)


@pytest.mark.parametrize("error", [*AWAY, *RETRYABLE, *NEITHER], ids=_name)
def test_every_error_of_the_database_is_caught_wrapped_or_from_the_driver(error: Exception) -> None:
    assert isinstance(error, DATABASE_ERRORS)
    assert isinstance(wrapped(error), DATABASE_ERRORS)


@pytest.mark.parametrize("error", [ConnectionRefusedError(), *map(wrapped, RETRYABLE)], ids=_name)
async def test_a_question_that_may_be_asked_again_is_unavailable(error: Exception) -> None:
    async def question() -> None:
        raise error

    with pytest.raises(Unavailable, match="the database cannot be reached"):
        await asking(question)


@pytest.mark.parametrize("error", [*AWAY, *RETRYABLE, *NEITHER], ids=_name)
def test_what_is_away_in_the_way_or_slow_passes_and_nothing_else(error: Exception) -> None:
    slow = isinstance(error, asyncpg.QueryCanceledError)
    reached = "the database cannot be reached" if error not in NEITHER else None
    for each in (error, wrapped(error)):
        assert is_too_slow(each) == slow
        assert passing(each) == ("the database takes too long" if slow else reached)


async def test_a_wrong_question_stays_what_it_is() -> None:
    async def question() -> None:
        raise BadArgument("invalid input for query argument $1")

    with pytest.raises(BadArgument):
        await asking(question)


def test_causes_of_an_error_that_was_raised_from_itself_end() -> None:
    error = ValueError("round")
    error.__context__ = other = KeyError("and round")
    other.__context__ = error
    assert causes(error) == [error, other]
