"""Keep what the catalogue says of class, cost and price, beneath what is set as parameters."""

from collections.abc import Sequence

from typing_extensions import override

from services.alerting.domain.parameters import CATALOGUE, NOTHING_SET, ParameterSet
from services.alerting.inbound import catalog_items
from services.alerting.store import parameters
from shared.database.engine import Connection
from shared.kafka.handler import Batch, Forgetful
from shared.kafka.messages import Outgoing


class CatalogueValues(Forgetful):
    """Works the batches of `catalog.items`: what has changed is one edit of the parameters.

    The messages of a SKU are in one partition, in order, so the last one of it is the newest.
    """

    @override
    async def handle(self, connection: Connection, batch: Batch) -> Sequence[Outgoing]:
        told = {
            item.sku: ParameterSet(item.sku, CATALOGUE, catalog_items.values_of(item))
            for record in batch.records
            if (item := catalog_items.read(record)) is not None
        }
        stored = await parameters.of_keys(connection, [(sku, CATALOGUE) for sku in told])
        known = {sku: each.values for (sku, _), each in stored.items()}
        changed = [each for sku, each in told.items() if each.values != known.get(sku, NOTHING_SET)]
        if changed:
            revision = await parameters.begin_edit(connection)
            await parameters.put(connection, changed, revision)
        return ()
