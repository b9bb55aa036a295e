"""What each new event is passed on to, in the transaction that numbers it."""

from collections.abc import Sequence

from app.services.messages import event_feed, mail_rules, webhook_deliveries
from app.services.messages.event_feed import Subscriber

SUBSCRIBERS: Sequence[Subscriber] = (
    mail_rules.queue_mails,
    webhook_deliveries.queue_deliveries,
)


def relay_events(waits: bool = True) -> int:
    """Number the next events and pass them to SUBSCRIBERS; how many there were.

    With `waits=False` there are none while another process does so.
    """
    return event_feed.number(SUBSCRIBERS, waits=waits)
