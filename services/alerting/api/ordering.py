"""How orders reach their suppliers, as the routes find it: by mail, and by the links in it."""

from typing import Annotated

from fastapi import Depends, Request

from services.alerting.ordering.mails import OrderMails


async def order_mails(request: Request) -> OrderMails:
    """Return what has orders mailed, as a dependency."""
    found: OrderMails = request.app.state.order_mails
    return found


Mails = Annotated[OrderMails, Depends(order_mails)]
