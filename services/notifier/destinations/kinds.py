"""The kinds of destinations, each with the module that writes and sends for it.

mypy names what is missing here for a new kind.
"""

from datetime import datetime
from typing import assert_never

from services.notifier.destinations import (
    dingtalk_bot,
    email,
    feishu_bot,
    slack,
    webhook,
    wecom_app,
    wecom_bot,
)
from services.notifier.destinations.dingtalk_bot import DingtalkBotTransport
from services.notifier.destinations.email import EmailTransport
from services.notifier.destinations.feishu_bot import FeishuBotTransport
from services.notifier.destinations.rendering import Reading, Templates
from services.notifier.destinations.slack import SlackTransport
from services.notifier.destinations.transport import Means, Transport
from services.notifier.destinations.webhook import WebhookTransport
from services.notifier.destinations.wecom_app import WecomAppTransport
from services.notifier.destinations.wecom_bot import WecomBotTransport
from services.notifier.domain.addresses import (
    DestinationKind,
    DingtalkBot,
    Email,
    FeishuBot,
    Slack,
    Webhook,
    WecomApp,
    WecomBot,
)
from services.notifier.domain.deliveries import Delivery
from services.notifier.domain.destinations import Destination


class Renderer:
    """Makes messages from the contents of deliveries."""

    def __init__(self, console_url: str, public_url: str | None = None) -> None:
        self._templates = Templates(console_url, public_url)

    def render(self, delivery: Delivery, destination: Destination, now: datetime) -> bytes:
        """Return the bytes to send. Raises ValueError for a content that is not of its kind."""
        address, templates = destination.address, self._templates
        match address:
            case WecomBot():
                return wecom_bot.render(delivery, destination, templates)
            case WecomApp():
                return wecom_app.render(delivery, destination, address, templates)
            case DingtalkBot():
                return dingtalk_bot.render(delivery, destination, address, templates)
            case FeishuBot():
                return feishu_bot.render(delivery, destination, address, templates)
            case Slack():
                return slack.render(delivery, destination, address, templates)
            case Email():
                return email.render(delivery, destination, address, templates, now)
            case Webhook():
                return webhook.render(delivery, now)
            case _:
                assert_never(address)


def again(kind: DestinationKind, rendered: bytes, code: str | None) -> bytes:
    """Return what to send after an attempt with a rendered message that ended with a code.

    That is the same, so that a repeat can be recognised, but for what was refused of it.
    """
    return feishu_bot.again(rendered, code) if kind is DestinationKind.FEISHU_BOT else rendered


def read(kind: DestinationKind, rendered: bytes) -> Reading:
    """Return what a rendered message of a kind says, and how long it is."""
    match kind:
        case DestinationKind.WECOM_BOT:
            return wecom_bot.read(rendered)
        case DestinationKind.WECOM_APP:
            return wecom_app.read(rendered)
        case DestinationKind.DINGTALK_BOT:
            return dingtalk_bot.read(rendered)
        case DestinationKind.FEISHU_BOT:
            return feishu_bot.read(rendered)
        case DestinationKind.SLACK:
            return slack.read(rendered)
        case DestinationKind.EMAIL:
            return email.read(rendered)
        case DestinationKind.WEBHOOK:
            return webhook.read(rendered)
        case _:
            assert_never(kind)


def transport_of(destination: Destination, means: Means) -> Transport:
    """Return the transport of a destination."""
    address, tls = destination.address, means.tls
    match address:
        case WecomBot():
            return WecomBotTransport(address, tls)
        case WecomApp():
            return WecomAppTransport(address, destination.lane, tls, means.tokens)
        case DingtalkBot():
            return DingtalkBotTransport(address, tls)
        case FeishuBot():
            return FeishuBotTransport(address, tls)
        case Slack():
            return SlackTransport(address, tls)
        case Email():
            return EmailTransport(address, tls, means.links)
        case Webhook():
            return WebhookTransport(address, tls)
        case _:
            assert_never(address)
