"""Broker and database server, wherever people keep their files."""

import asyncio
from pathlib import Path

from deploy.local.instance import Instance
from deploy.local.kafka import Broker
from deploy.local.ports import pick_free
from deploy.local.postgres import DatabaseServer
from deploy.local.recording import ensure_broker_is_recorded
from deploy.local.server import wait_until_ready
from shared.kafka.admin import create_topics, ends


def test_they_run_below_a_folder_of_any_name(tmp_path: Path) -> None:
    ensure_broker_is_recorded()
    instance = Instance("any", tmp_path / "仓库, №1")
    instance.create()
    instance.processes_folder.mkdir(exist_ok=True)
    database_port, broker_port, controller_port = pick_free(3)
    database = DatabaseServer(instance, database_port, "a password")
    broker = Broker(instance, broker_port, controller_port)

    async def use() -> list[int]:
        await create_topics(broker.bootstrap, "any.")
        return await ends(broker.bootstrap, "any.", "catalog.items")

    try:
        for server in (database, broker):
            server.prepare()
            server.child.start()
        wait_until_ready((database, broker), limit_s=90)
        assert set(asyncio.run(use())) == {0}
    finally:
        broker.child.kill()
        database.child.stop()
