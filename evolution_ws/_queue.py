"""The bounded queue between the thread that reads the socket and those that consume events."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Generic, TypeVar

from .config import Overflow
from .exceptions import QueueOverflow


T = TypeVar("T")

# A waiter looks again at least this often. It is normally woken long before; the limit heals a
# wake-up that was lost because an asynchronous exception hit the thread that owned it.
_SLICE = 1.0


class QueueClosed(Exception):
    """The queue is closed and has been read to the end."""


class _OverflowMark:
    """Stands in the queue where events are missing, for the policy that raises."""


class EventQueue(Generic[T]):
    """
    Hold events until somebody takes them, within limits of number and memory.

    Consumers may be hit by asynchronous exceptions at any bytecode (Ctrl-C,
    Celery's soft time limit), so their side holds no lock and changes the queue
    with single C calls only: an interrupted consumer leaves nothing locked and
    loses nothing. Producers are threads of this library and are serialised by
    a lock.
    """

    def __init__(
        self,
        maxsize: int,
        max_bytes: int,
        overflow: Overflow = Overflow.DROP_OLDEST,
        put_timeout: float = 5.0,
        on_episode: Callable[[int], object] = lambda dropped: None,
    ) -> None:
        self._maxsize = maxsize
        self._max_bytes = max_bytes
        self._overflow = overflow
        self._put_timeout = put_timeout
        self._on_episode = on_episode
        # Pairs of an item and the number of bytes put before it: the bytes that wait are a
        # difference of two of those numbers, so that taking an item needs no book-keeping.
        self._items: deque[tuple[T | _OverflowMark, int]] = deque()
        self._taker = iter(self._items.popleft, object())
        self._producer = threading.Lock()
        self._getters: deque[threading.Lock] = deque()
        self._putters: deque[threading.Lock] = deque()
        self._closed = False
        self._error: BaseException | None = None
        self._bytes_put = 0
        self._episode = 0
        self.accepted = 0
        """Events put so far and not thrown away since."""
        self.dropped = 0
        """Events thrown away so far."""

    def fresh(self) -> EventQueue[T]:
        """Return an empty queue with the same limits, closed if this one is."""
        queue: EventQueue[T] = EventQueue(
            self._maxsize, self._max_bytes, self._overflow, self._put_timeout, self._on_episode
        )
        queue._closed, queue._error = self._closed, self._error
        return queue

    def __len__(self) -> int:
        return len(self._items)

    @property
    def waiting_bytes(self) -> int:
        """Return the estimated memory of the waiting events."""
        try:
            return self._bytes_put - self._items[0][1]
        except IndexError:
            return 0

    @property
    def is_closed(self) -> bool:
        """Return whether nothing more will be put."""
        return self._closed

    # Producers

    def put(self, item: T, size: int) -> None:
        """
        Add *item*, which takes about *size* bytes of memory.

        Never raises; what does not fit is treated as the policy says. Ignored
        once the queue is closed.

        Threads:
            Any thread of this library. Blocks under :attr:`Overflow.BLOCK` only.
        """
        if self._overflow is Overflow.BLOCK and self._is_full(size):
            self.wait_for_room(size, self._put_timeout)
        with self._producer:
            if self._closed:
                return
            before = self._episode
            fits = self._make_room(size) if self._is_full(size) else True
            if fits:
                self._items.append((item, self._bytes_put))
                self._bytes_put += size
                self.accepted += 1
            begins = not before and self._episode > 0
            ended = self._ended_episode() if self._episode else 0
        if self._getters:
            _wake(self._getters)
        # Whoever is told may do anything, so the lock is free by now.
        if begins:
            self._on_episode(0)
        if ended:
            self._on_episode(ended)

    def extend(self, sized: Iterable[tuple[T, int]]) -> None:
        """
        Add items, each with its size, whatever the limits say.

        For a queue without limits of its own; ignored once it is closed.
        """
        added = 0
        with self._producer:
            if self._closed:
                return
            for item, size in sized:
                self._items.append((item, self._bytes_put))
                self._bytes_put += size
                added += 1
            self.accepted += added
        for _ in range(min(added, len(self._getters))):
            _wake(self._getters)

    def _is_full(self, size: int) -> bool:
        waiting = len(self._items)
        if waiting >= self._maxsize:
            return True
        # An event larger than the whole limit is let in alone: it would never fit otherwise.
        return waiting > 0 and self.waiting_bytes + size > self._max_bytes

    def wait_for_room(self, size: int, timeout: float) -> bool:
        """Wait until *size* bytes fit, at most *timeout* seconds; return whether they do."""
        return _wait_for(self._putters, lambda: self._closed or not self._is_full(size), timeout)

    def _make_room(self, size: int) -> bool:
        if self._overflow in (Overflow.DROP_NEWEST, Overflow.RAISE):
            self._count_drop()
            if self._overflow is Overflow.RAISE and not self._ends_with_mark():
                self._items.append((_OverflowMark(), self._bytes_put))
            return False
        while self._is_full(size):
            try:
                self._items.popleft()
            except IndexError:  # a consumer was faster
                break
            self.accepted -= 1
            self._count_drop()
        return True

    def _ends_with_mark(self) -> bool:
        try:
            return isinstance(self._items[-1][0], _OverflowMark)
        except IndexError:
            return False

    def _count_drop(self) -> None:
        self.dropped += 1
        self._episode += 1

    def _ended_episode(self) -> int:
        """Return how many events the episode cost that is over now; 0 while it lasts."""
        # A queue that hovers at its limit drops, accepts and drops again: that is one episode,
        # over when half of the room is free.
        if len(self._items) * 2 > self._maxsize or self.waiting_bytes * 2 > self._max_bytes:
            return 0
        dropped, self._episode = self._episode, 0
        return dropped

    def close(self, error: BaseException | None = None) -> None:
        """
        Accept nothing more and wake everybody who waits.

        Args:
            error:
                Raised to consumers once they have read the rest; None ends them quietly.
        """
        if self._error is None:
            self._error = error
        self._closed = True
        for waiters in (self._getters, self._putters):
            while waiters:
                _wake(waiters)

    def reopen(self) -> None:
        """Accept events again, after a failure that was repaired."""
        self._error = None
        self._closed = False

    def discard(self) -> None:
        """Throw away what waits, without counting it as dropped."""
        with self._producer:
            self.accepted -= len(self._items)
            self._items.clear()

    # Consumers

    def take(self, hand: list[T], timeout: float | None = None) -> None:
        """
        Move the oldest event into *hand*, an empty list that the caller keeps.

        The move is one C call: whatever interrupts the caller, the event is
        either still in the queue or in *hand*.

        Args:
            timeout:
                Longest wait in seconds. None waits until an event arrives or
                the queue is closed; 0 never waits.

        Raises:
            TimeoutError: Nothing arrived in time.
            QueueClosed: The queue is closed and has been read to the end.
            QueueOverflow: Events are missing here (:attr:`Overflow.RAISE`).

        Threads:
            Any number of threads may wait here; each event wakes one of them
            and close() wakes them all.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        pairs: list[tuple[T | _OverflowMark, int]] = []
        try:
            while not self._move(pairs):
                if self._closed:
                    self._end(pairs)
                    break
                self._wait(deadline, timeout)
            item = pairs[0][0]
            if isinstance(item, _OverflowMark):
                error = QueueOverflow(
                    f"{self.dropped} events were dropped: the consumer is slower than the server. "
                    "Consume faster, raise queue_size, or choose another overflow policy"
                )
                del pairs[0]
                raise error
            hand.append(item)
            del pairs[0]
        except BaseException:
            if pairs and not hand:
                self._items.appendleft(pairs[0])
                _wake(self._getters)
            raise
        if self._putters:
            _wake(self._putters)

    def _move(self, pairs: list[tuple[T | _OverflowMark, int]]) -> bool:
        try:
            pairs.extend(islice(self._taker, 1))
        except IndexError:
            return False
        return True

    def _end(self, pairs: list[tuple[T | _OverflowMark, int]]) -> None:
        # Something may have been put between the look into the queue and the look at the flag.
        if not self._move(pairs):
            raise self._error or QueueClosed

    def _wait(self, deadline: float | None, timeout: float | None) -> None:
        remaining = _SLICE if deadline is None else min(_SLICE, deadline - time.monotonic())
        if remaining <= 0:
            raise TimeoutError(f"no event within {timeout:g} seconds")
        _wait(self._getters, remaining, lambda: bool(self._items) or self._closed)

    def untake(self, item: T) -> None:
        """Put an event back that was taken but not handed to anybody."""
        self._items.appendleft((item, self._items[0][1] if self._items else self._bytes_put))
        _wake(self._getters)


def _wake(waiters: deque[threading.Lock]) -> None:
    try:
        waiters.popleft().release()
    except IndexError:  # it left meanwhile
        pass


def _wait(waiters: deque[threading.Lock], seconds: float, ready: Callable[[], bool]) -> None:
    # A plain lock, taken twice, is the one primitive that an asynchronous exception cannot leave
    # in a state that harms others.
    waiter = threading.Lock()
    waiter.acquire()
    waiters.append(waiter)
    has_slept = False
    try:
        # Whoever makes it ready wakes only those that are in the line already.
        if not ready():
            has_slept = True
            waiter.acquire(timeout=seconds)
    except BaseException:
        _wake(waiters)  # this thread may have been the one that was woken: pass it on
        raise
    finally:
        try:
            waiters.remove(waiter)
        except ValueError:  # woken, hence removed already
            if not has_slept:
                _wake(waiters)  # it was awake, and somebody behind it sleeps on


def _wait_for(waiters: deque[threading.Lock], ready: Callable[[], bool], timeout: float) -> bool:
    """Wait until *ready*, at most *timeout* seconds; return whether it is."""
    deadline = time.monotonic() + timeout
    while not ready():
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        _wait(waiters, min(left, _SLICE), ready)
    return True
