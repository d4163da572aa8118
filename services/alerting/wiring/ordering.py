"""How orders go to suppliers, by the settings."""

from services.alerting.ordering.links import OrderLinks
from services.alerting.ordering.mails import OrderMails
from services.alerting.settings import AlertingSettings
from shared.sealing import LinkSeal


def links_of(settings: AlertingSettings) -> OrderLinks:
    """Return what makes the links of suppliers' pages."""
    secret = settings.secret_key
    return OrderLinks(
        None if secret is None else secret.get_secret_value(),
        settings.supplier_url or settings.alerting_url,
    )


def mails_of(settings: AlertingSettings) -> OrderMails:
    """Return what mails orders to suppliers; without a secret key their links go unsealed."""
    seal = None if settings.secret_key is None else LinkSeal(settings.secret_key).seal
    return OrderMails(links_of(settings), seal, settings.order_destination)
