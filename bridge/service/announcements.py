"""What carries announcements: written in desks and confirmed, sent, heard, asked about again; and roll calls."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import aiohttp

from bridge.announcements.alarm import EmergencyConsumer
from bridge.announcements.board import Boards
from bridge.announcements.calendar import Calendar
from bridge.announcements.desk import DeskConsumer
from bridge.announcements.heard import HeardConsumer
from bridge.announcements.newcomers import Newcomers
from bridge.announcements.nudging import Nudging
from bridge.announcements.postman import Postman
from bridge.announcements.quiet_hours import QuietHours
from bridge.announcements.roll_calls import RollCalls
from bridge.app import Services
from bridge.archive.feed import Consumer
from bridge.channels.courier import Courier
from bridge.channels.mail import Mailer
from bridge.channels.message import Channel
from bridge.channels.sms import SmsGateway
from bridge.database.listen import ANNOUNCEMENTS, CHANNELS, DIRECTORY, EMERGENCY, QUIET, Listener
from bridge.patience import Wake
from bridge.policy.schema import Policy
from bridge.service.correspondence import correspondence_tasks


def announcement_consumers(services: Services, policy: Callable[[], Policy]) -> tuple[Consumer, ...]:
    """Return what reads the event feed for announcements."""
    pool, bot, clock = services.pool, services.homeserver.bot, services.clock
    zone = services.config.directory.timezone
    return (
        DeskConsumer(pool, bot=bot, policy=policy, clock=clock, attributes=services.config.attributes),
        HeardConsumer(pool, bot=bot, clock=clock),
        EmergencyConsumer(pool, bot=bot, policy=policy, clock=clock, timezone=zone),
    )


def announcement_tasks(
    services: Services, policy: Callable[[], Policy], listener: Listener
) -> list[Coroutine[Any, Any, None]]:
    """Return what runs for announcements as long as the service."""
    pool, homeserver, clock = services.pool, services.homeserver, services.clock
    bot, zone = homeserver.bot, services.config.directory.timezone
    channels = services.config.channels.names

    def announced() -> Wake:
        return listener.subscribe(ANNOUNCEMENTS)

    return [
        RollCalls(pool, policy, channels=channels, clock=clock, timezone=zone).run(listener.subscribe(EMERGENCY)),
        *(_run_channel(services, name, listener.subscribe(CHANNELS)) for name in channels),
        Postman(pool, homeserver, clock=clock).run(announced()),
        Calendar(pool, bot=bot, policy=policy, clock=clock).run(announced()),
        Boards(pool, clock=clock, timezone=zone).run(announced()),
        Nudging(pool, policy, clock=clock, timezone=zone).run(announced()),
        Newcomers(pool, bot=bot, policy=policy, clock=clock, timezone=zone).run(listener.subscribe(DIRECTORY)),
        QuietHours(pool, homeserver, policy, clock=clock, timezone=zone).run(listener.subscribe(QUIET)),
        *correspondence_tasks(services, policy, announced()),
    ]


async def _run_channel(services: Services, name: str, wake: Wake) -> None:
    """Send what goes out by one second channel."""
    found = services.config.channels
    async with aiohttp.ClientSession() as session:
        channel: Channel
        if name == SmsGateway.name:
            assert found.sms is not None
            sms = found.sms
            channel = SmsGateway(session, sms.url, sms.key, attribute=sms.attribute, clock=services.clock)
        else:
            assert found.mail is not None
            channel = Mailer(found.mail.server, attribute=found.mail.attribute, clock=services.clock)
        await Courier(services.pool, channel, clock=services.clock).run(wake)
