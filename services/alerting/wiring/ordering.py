"""How orders go to suppliers, by the settings."""

from services.alerting.ordering.links import OrderLinks
from services.alerting.ordering.mails import OrderMails
from services.alerting.settings import AlertingSettings
from shared.sealing import LinkSeal


def mails_of(settings: AlertingSettings) -> OrderMails:
    """Return what mails orders to suppliers; without a secret key their links go unsealed."""
    secret = settings.secret_key
    links = OrderLinks(secret, settings.supplier_url or settings.alerting_url)
    seal = None if secret is None else LinkSeal(secret).seal
    return OrderMails(links, seal, settings.order_destination)
