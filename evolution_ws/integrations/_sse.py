"""Server-sent events: one upstream subscription, however many browsers look at it."""

from __future__ import annotations

import json
import logging
import math
import queue
import threading
import time
from collections.abc import Callable, Iterator

import attrs

from .. import Client, ClientClosed, ConnectionState, Event, EvolutionError, Subscription
from ._ring import Item, Overtaken, Ring
from ._wish import Serialize, Wish


_log = logging.getLogger("evolution_ws.stream")

# The browser's pause before it comes back: soon after an ordinary end, later when there is nothing
# to come back to, such as a key that the server refuses.
_RETRY = 1_000
_RETRY_FAILED = 15_000

# The upstream state is looked at this often when no event comes.
_TICK = 0.25


@attrs.define(eq=False)
class _Viewer:
    """One open stream."""

    wake: queue.SimpleQueue[None] = attrs.field(factory=lambda: queue.SimpleQueue())
    is_ended: bool = False

    def nudge(self) -> None:
        """Let the stream look for news; safe in a signal handler."""
        if self.wake.empty():
            self.wake.put(None)

    def wait(self, seconds: float) -> None:
        """Wait until there may be news, for *seconds* at most."""
        try:
            self.wake.get(timeout=seconds)
        except queue.Empty:  # silence is no news
            pass


class Broadcaster:
    """
    Gives the events of one client to any number of open streams.

    The client is asked for, and a thread subscribes to it, when the first stream
    opens; both rest *linger* seconds after the last one ended. Streams read from one shared
    memory: memory is bounded whatever the number of streams, nobody waits for a slow one, and
    one that comes back goes on where it was.

    Args:
        get_client:
            Returns the client to subscribe to.
        memory:
            Events that are kept for those who come back.
        memory_bytes:
            Memory that they may take.
        linger:
            Seconds that the subscription outlives the last stream.

    Threads:
        All members may be used from any thread; :meth:`end_streams` in signal handlers, too.
    """

    def __init__(
        self,
        get_client: Callable[[], Client],
        *,
        memory: int = 1_000,
        memory_bytes: int = 16 * 1024 * 1024,
        linger: float = 60.0,
    ) -> None:
        self._get_client = get_client
        self._ring = Ring(memory, memory_bytes)
        self._linger = linger
        self._changing = threading.Lock()
        self._viewers: tuple[_Viewer, ...] = ()
        # What nobody has ever asked for must not push out of the memory what somebody wants.
        self._types: frozenset[str] | None = frozenset()
        self._pump: threading.Thread | None = None
        self._subscription: Subscription | None = None
        self._left_at = 0.0
        self._state = ConnectionState.NEW
        self._is_closed = False
        self.overtaken = 0
        """Streams that were ended because their browser was too slow."""

    @property
    def viewers(self) -> int:
        """Return the number of open streams."""
        return len(self._viewers)

    def stream(self, wish: Wish) -> Iterator[bytes]:
        """
        Yield the stream for one browser, in the form of server-sent events.

        Every event is a message whose data is JSON. ``state`` tells the state of the
        upstream connection, ``gap`` that events since the browser's last one are missing.
        """
        viewer = _Viewer()
        position = self._open(viewer, wish)
        try:
            yield b"retry: %d\n\n" % _RETRY
            if position is None:
                yield b"event: gap\ndata: {}\n\n"
                position = self._ring.newest
            yield from self._frames(viewer, position, wish)
        except Overtaken:
            self.overtaken += 1
            _log.info("a browser was too slow for the events; it has to come back")
        finally:
            self._leave(viewer)

    def _frames(self, viewer: _Viewer, position: int, wish: Wish) -> Iterator[bytes]:
        started = sent = time.monotonic()
        shown: ConnectionState | None = None
        while True:
            is_ended = viewer.is_ended  # looked at first: what ends a stream is shown before
            if shown is not self._state:
                shown = self._state
                yield _state_frame(shown)
                sent = time.monotonic()
            if is_ended:
                return
            item = self._ring.after(position)
            if item is not None:
                position = item.number
                frame = _frame(item, wish.serialize) if wish.accepts(item) else None
                if frame is not None:
                    yield frame
                    sent = time.monotonic()
            now = time.monotonic()
            left = math.inf if wish.lifetime is None else started + wish.lifetime - now
            quiet = sent + wish.heartbeat - now
            if left <= 0:
                return
            if quiet <= 0:
                # Events that this browser does not want must not keep it waiting for a sign.
                yield b": alive\n\n"
                sent = now
            elif item is None:
                viewer.wait(min(quiet, left))

    def _open(self, viewer: _Viewer, wish: Wish) -> int | None:
        """Register *viewer*; return the number after which it reads, None after a gap."""
        with self._changing:
            viewer.is_ended = self._is_closed
            self._viewers = (*self._viewers, viewer)
            if wish.types is None or self._types is None:
                self._types = None
            else:
                self._types |= wish.types
            position = self._ring.newest
            if wish.last_id is not None:
                found = self._ring.find(wish.last_id)
                position = found if found is not None else -1
            if self._pump is None and not self._is_closed:
                self._start_pump()
        return position if position >= 0 else None

    def _start_pump(self) -> None:
        self._state = ConnectionState.CONNECTING
        self._pump = threading.Thread(
            # Streams are served until the process ends; it must not wait for them.
            target=self._work,
            name="evolution-ws-stream",
            daemon=True,
        )
        self._pump.start()

    def _leave(self, viewer: _Viewer) -> None:
        with self._changing:
            self._viewers = tuple(other for other in self._viewers if other is not viewer)
            self._left_at = time.monotonic()

    # The pump's thread

    def _work(self) -> None:
        state = ConnectionState.FAILED
        try:
            client = self._get_client()
            with client.subscribe() as stream:
                self._subscription = stream
                while not self._rests():
                    try:
                        self._publish(stream.get(timeout=_TICK))
                    except TimeoutError:
                        pass
                    self._show(client.state)
                return
        except ClientClosed:
            state = ConnectionState.CLOSED
        except EvolutionError as exc:
            _log.error("event streams end: %s", exc)
        except Exception:
            _log.exception("event streams end")
        self._stop_pump(state)

    def _publish(self, event: Event) -> None:
        types = self._types
        if types is None or event.type in types:
            self._ring.append(event)
            self._nudge_all()

    def _show(self, state: ConnectionState) -> None:
        if state is not self._state:
            self._state = state
            self._nudge_all()

    def _nudge_all(self) -> None:
        for viewer in self._viewers:
            viewer.nudge()

    def _rests(self) -> bool:
        """Return whether nobody looks any more; the next stream starts the pump again."""
        with self._changing:
            is_idle = not self._viewers and time.monotonic() - self._left_at >= self._linger
            if is_idle or self._is_closed:
                self._ring.clear()
                self._pump = None
            return self._pump is None

    def _stop_pump(self, state: ConnectionState) -> None:
        with self._changing:
            self._state = state
            self._ring.clear()
            self._pump = None
        self.end_streams()

    # Ending

    def end_streams(self) -> None:
        """End all open streams; browsers come back by themselves. Never blocks."""
        for viewer in self._viewers:
            viewer.is_ended = True
            viewer.nudge()

    def refuse(self) -> None:
        """End all streams, those to come included, without waiting; the process is ending."""
        self._is_closed = True
        self.end_streams()

    def close(self, timeout: float = 5.0) -> None:
        """
        End all streams, and the thread that feeds them.

        Args:
            timeout:
                Longest wait for the thread, in seconds.
        """
        self.refuse()
        pump, subscription = self._pump, self._subscription
        if subscription is not None:
            subscription.close()
        if pump is not None and pump is not threading.current_thread():
            pump.join(timeout)


def _state_frame(state: ConnectionState) -> bytes:
    retry = f"retry: {_RETRY_FAILED}\n" if state is ConnectionState.FAILED else ""
    return f'{retry}event: state\ndata: {{"state":"{state.value}"}}\n\n'.encode()


def _frame(item: Item, serialize: Serialize | None) -> bytes | None:
    """Return the bytes that tell *item* to a browser, None to leave it out."""
    if serialize is None:
        data = item.data
    else:
        try:
            shown = serialize(item.event)
            if shown is None:
                return None
            data = json.dumps(shown, separators=(",", ":")).encode()
        except Exception as exc:  # the user's code: one event less is better than no stream
            _log.error("serialize failed for %s", item.type, exc_info=exc)
            return None
    return b"id: %b\ndata: %b\n\n" % (item.id.encode(), data)
