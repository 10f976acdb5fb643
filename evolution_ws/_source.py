"""Taking one event from a stream, without ever holding it in a frame that could lose it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._hub import Delivered


if TYPE_CHECKING:
    from .subscription import Subscription


class Source:
    """What gives single events: a client, from its inbox, and a subscription."""

    def get(self, timeout: float | None = None) -> Any:
        """
        Remove the oldest event and return it.

        With a durable inbox it is done when this thread calls again, or with
        :meth:`.Event.ack`.

        Args:
            timeout:
                Longest wait in seconds; None waits until one arrives, 0 never waits.

        Raises:
            TimeoutError: Nothing arrived in time.
            ClientClosed: The client or the subscription is closed and read to the end.
            ConnectionLost, AuthenticationError, QueueOverflow, InboxError: As for ``events()``.
            ConfigError: The client has no inbox (``queue_size=0``, or ``run()`` was called).

        Threads:
            Any. Connects the client unless it is connected.
        """
        stream = self._stream()
        hand: list[Delivered] = []
        try:
            stream.take(hand, timeout)
            # It leaves the hand with the return itself: an interrupt before puts it back. Hence
            # no get() calls another one, whose event an interrupt just after the call would lose.
            return hand[0]
        except BaseException:
            stream.put_back(hand)
            raise

    def _stream(self) -> Subscription:
        raise NotImplementedError
