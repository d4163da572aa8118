"""Promise 5: levels can be recomputed from their movements, and a difference is named."""

import asyncio
import json
import sys
from datetime import timedelta

import asyncpg

from deploy.local.instance import REPOSITORY, home
from tests.integration.ledger.service import START, Ledger, change


async def verify(ledger: Ledger) -> tuple[int, dict[str, int], str]:
    """Run the command; returns its exit code, its report and what it said on the way."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.ledger", "verify"),
        env={
            "PYTHONPYCACHEPREFIX": str(home() / "cache" / "pycache"),
            "LOWTIDE_KAFKA": ledger.settings.kafka,
            "LOWTIDE_DATABASE_URL": ledger.settings.database_url.get_secret_value(),
        },
        cwd=REPOSITORY,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, said = await process.communicate()
    assert process.returncode is not None
    return process.returncode, json.loads(out), " ".join(said.decode().split())


async def test_levels_are_what_their_movements_make_them_until_somebody_meddles(
    ledger: Ledger,
) -> None:
    async with ledger.consuming():
        await ledger.publish(
            change(id="c", type="count", quantity=10),
            change(id="s", quantity=3, occurred_at=START + timedelta(hours=1)),
            change(id="late", quantity=2, occurred_at=START - timedelta(hours=1)),
            change(id="o", type="order_placed", quantity=2, reference="order 1"),
            change(id="p", type="supply_expected", quantity=20, reference="PO 1"),
            change(id="h", type="hold", sku="B", quantity=1),
            change(id="u", type="order_fulfilled", sku="B", quantity=2, reference="unheard of"),
        )
        await ledger.until_recorded(7)
    code, report, _ = await verify(ledger)
    assert (code, report) == (0, {"levels": 2, "movements": 7, "differing": 0})

    meddler = await asyncpg.connect(ledger.database.administrator_url)
    try:
        await meddler.execute("UPDATE ledger.level SET on_hand = on_hand + 1 WHERE sku = 'A'")
    finally:
        await meddler.close()
    code, report, said = await verify(ledger)
    assert (code, report["differing"]) == (1, 1)
    assert "A in W: on_hand is stored as 8, its movements make it 7" in said
