"""A client of the stream, as the HTML standard says: what an EventSource would have dispatched."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx

from shared.testing.waiting import PATIENCE_SECONDS


@dataclass(frozen=True)
class Event:
    """What was dispatched; `id` is the last one heard so far."""

    name: str
    data: dict[str, object]
    id: str

    @property
    def place(self) -> tuple[object, object]:
        return self.data["sku"], self.data["version"]


@dataclass
class Listener:
    """Collects what a stream says for as long as it lasts."""

    headers: httpx.Headers
    events: list[Event] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    last_id: str = ""
    retry_ms: int | None = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    _heard: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS), self._heard:
            await self._heard.wait_for(condition)

    async def until_told(self, *places: tuple[str, int]) -> None:
        """Wait until these versions of these SKUs were told."""
        await self.until(lambda: set(places) <= {each.place for each in self.levels})

    async def until_beats(self, number: int) -> None:
        """Wait for so many more heartbeats."""
        enough = len(self.comments) + number
        await self.until(lambda: len(self.comments) >= enough)

    @property
    def levels(self) -> list[Event]:
        return [each for each in self.events if each.name == "level"]

    async def collect(self, lines: AsyncIterator[str]) -> None:
        name, data = "", list[str]()
        async for line in lines:
            label, _, text = line.partition(": ")
            match label:
                case "":
                    if line:
                        self.comments.append(text)
                    elif data:
                        said = json.loads("\n".join(data))
                        self.events.append(Event(name, said, self.last_id))
                        name, data = "", []
                    async with self._heard:
                        self._heard.notify_all()
                case "event":
                    name = text
                case "data":
                    data.append(text)
                case "id":
                    self.last_id = text
                case "retry":
                    self.retry_ms = int(text)
                case _:
                    raise AssertionError(line)
        self.ended.set()


@asynccontextmanager
async def listening(
    url: str,
    token: str,
    *,
    last_id: str | None = None,
    **parameters: str | list[str],
) -> AsyncIterator[Listener]:
    """Yield a listener that has heard the stream's opening; it hangs up at the end."""
    headers = {"Authorization": f"Bearer {token}"}
    if last_id is not None:
        headers["Last-Event-ID"] = last_id
    async with (
        httpx.AsyncClient(timeout=PATIENCE_SECONDS) as client,
        client.stream(
            "GET", f"{url}/v1/stream/levels", params=parameters, headers=headers
        ) as answer,
        asyncio.TaskGroup() as group,
    ):
        assert answer.status_code == 200, await answer.aread()
        listener = Listener(answer.headers, last_id=last_id or "")
        collecting = group.create_task(listener.collect(answer.aiter_lines()))
        await listener.until(lambda: listener.retry_ms is not None)
        yield listener
        collecting.cancel()
