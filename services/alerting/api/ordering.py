"""How orders reach their suppliers, as the routes find it: links, and mails."""

from typing import Annotated

from fastapi import Depends, Request

from services.alerting.ordering.links import OrderLinks
from services.alerting.ordering.mails import OrderMails


async def order_links(request: Request) -> OrderLinks:
    """Return what makes links, as a dependency."""
    found: OrderLinks = request.app.state.order_links
    return found


async def order_mails(request: Request) -> OrderMails:
    """Return what has orders mailed, as a dependency."""
    found: OrderMails = request.app.state.order_mails
    return found


Links = Annotated[OrderLinks, Depends(order_links)]
Mails = Annotated[OrderMails, Depends(order_mails)]
