"""HTTP requests with a time limit and retries, on connections that are kept."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import attrs

from ._dial import is_loopback as is_loopback
from ._dial import make_tls_context
from ._rest_errors import NoAnswer, translated
from ._rest_session import Adapter, KeyAuth, Session
from .config import Backoff
from .exceptions import ClientClosed, ConfigError


# Node closes an idle connection after 5 seconds. A POST sent in that very moment
# is lost, and a POST is not repeated, so a connection is not used again after 4.
_IDLE_LIMIT = 4.0

# Three retries: enough for a restarting proxy, short enough for a person who waits.
_RETRIES = Backoff(initial=0.2, maximum=1.0, attempts=4)


@attrs.frozen
class Answer:
    """What came back from the server."""

    status: int
    """HTTP status code."""

    body: bytes = attrs.field(repr=False)
    """The bytes after the headers, decompressed."""

    location: str = attrs.field(default="", repr=False)
    """Where a redirect points to; empty without one."""

    date: datetime | None = None
    """The server's clock when it answered, in UTC; None when it did not say."""


@attrs.frozen(kw_only=True)
class Call:
    """A request to be sent."""

    method: str
    """Such as ``GET``."""

    url: str
    """Without a query."""

    key: str | None = attrs.field(default=None, repr=False)
    """The api key; None sends none."""

    json: Any = attrs.field(default=None, repr=False)
    """The body; None sends none."""

    params: Mapping[str, Any] | None = attrs.field(default=None, repr=False)
    """The query."""

    timeout: float
    """Longest time in seconds to connect, and between two pieces of the answer."""


class Transport:
    """
    Sends requests on connections that it keeps.

    Each request has a session of its own while it runs, so threads never share one.
    A process that was forked starts with none.

    Args:
        url:
            Where all requests go.
        verify:
            Whether certificates are checked, or the file of authorities to trust.
        cert:
            Client certificate: one file, or certificate and key files.
        proxy:
            ``"env"``, None for no proxy, or a URL.
        headers:
            Sent with every request.

    Raises:
        ConfigError: A header or a file of certificates cannot be used.

    Threads:
        Every method may be called from any thread.
    """

    def __init__(
        self,
        url: str,
        *,
        verify: bool | str,
        cert: str | tuple[str, str] | None,
        proxy: str | None,
        headers: Mapping[str, str],
    ) -> None:
        for name, value in headers.items():
            check_header(name, value)
        self._verify = verify
        self._cert = cert
        self._proxy = (
            None if proxy == "env" and is_loopback(urlsplit(url).hostname or "") else proxy
        )
        self._headers = dict(headers)
        self._context = make_tls_context(verify, cert) if url.startswith("https:") else None
        self._closed = False
        self._reset()

    def _reset(self) -> None:
        self._pid = os.getpid()
        # Appending to a deque and popping from it need no lock, so an interrupted
        # thread cannot leave one behind.
        self._idle: deque[tuple[Session, float]] = deque()
        self._busy: set[Session] = set()
        self._latch = threading.Lock()  # held until close(): waiting for it is a pause
        self._latch.acquire()

    def send(self, call: Call) -> Answer:
        """
        Send *call* and return what comes back, whatever its status.

        A GET is sent up to three times more after a failed connection and after the
        statuses 502, 503 and 504. Redirects are not followed.

        Raises:
            NoAnswer: Nothing came back.
            ConfigError: The request cannot be sent as it is.
            ClientClosed: The transport is closed.
        """
        if call.method.upper() != "GET":
            return self._once(call)
        for delay in _RETRIES.delays():
            try:
                answer = self._once(call)
            except NoAnswer as exc:
                if exc.kind != "connect":
                    raise
            else:
                if not _is_passing(answer):
                    return answer
            self._pause(delay)
        return self._once(call)

    def close(self) -> None:
        """
        Close the connections. Calling it again does nothing.

        Requests under way end with ``ClientClosed``: at once, or as soon as their connection
        is open or has failed to open.
        """
        if self._closed:
            return
        self._fresh_after_fork()
        self._closed = True
        with suppress(RuntimeError):  # two threads close at once
            self._latch.release()
        for session in list(self._busy):
            session.abort()
        self._drain()

    def _pause(self, seconds: float) -> None:
        if self._latch.acquire(timeout=seconds):
            self._latch.release()  # the next waiter is woken by this

    def _once(self, call: Call) -> Answer:
        with self._session() as session, translated(call.timeout):
            response = session.request(
                call.method,
                call.url,
                json=call.json,
                params=call.params,
                auth=KeyAuth(call.key),
                timeout=call.timeout,
                allow_redirects=False,
            )
            # A cookie of a load balancer would travel with the next call, of another thread.
            session.cookies.clear()
            location = response.headers.get("Location", "") if response.is_redirect else ""
            date = _clock(response.headers.get("Date", ""))
            return Answer(response.status_code, response.content, location, date)

    @contextmanager
    def _session(self) -> Iterator[Session]:
        self._fresh_after_fork()
        session = self._take()
        self._busy.add(session)
        try:
            if self._closed:
                raise _closed()
            yield session
        except BaseException as exc:
            # Whatever interrupted it: the connection may be in the middle of an answer.
            session.close()
            if self._closed and isinstance(exc, NoAnswer):
                raise _closed() from None
            raise
        else:
            self._idle.append((session, time.monotonic()))
        finally:
            self._busy.discard(session)
            if self._closed:
                self._drain()  # close() may have looked before it was put back

    def _take(self) -> Session:
        try:
            session, used = self._idle.pop()
        except IndexError:
            return self._new_session()
        if time.monotonic() - used > _IDLE_LIMIT:
            session.close()  # ends the connections; the session goes on
        return session

    def _drain(self) -> None:
        with suppress(IndexError):
            while True:
                self._idle.pop()[0].close()

    def _new_session(self) -> Session:
        session = Session()
        session.trust_env = self._proxy == "env"
        if self._proxy not in ("env", None):
            session.proxies = {"http": str(self._proxy), "https": str(self._proxy)}
        session.verify = self._verify
        session.cert = self._cert
        session.headers.update(self._headers)
        for scheme in ("http://", "https://"):
            session.mount(scheme, Adapter(session, self._context))
        return session

    def _fresh_after_fork(self) -> None:
        if os.getpid() == self._pid:
            return
        inherited = self._idle
        self._reset()
        for session, _ in inherited:
            # Closes this process's descriptors; nothing is said on the parent's connections.
            session.close()


def check_header(name: str, value: object) -> str:
    """
    Return *value* when it can be sent as the header *name*.

    Raises:
        ConfigError: It cannot; the value is not shown.
    """
    if not isinstance(value, str) or not value.isascii() or not value.isprintable():
        raise ConfigError(f"the header {name!r} has to be a str of printable ASCII characters")
    return value


def _closed() -> ClientClosed:
    return ClientClosed("the REST client was closed; make a new Api")


def _is_passing(answer: Answer) -> bool:
    # A server without a licence answers 503 until somebody activates it.
    return answer.status in (502, 503, 504) and b"LICENSE_REQUIRED" not in answer.body


def _clock(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    return date.astimezone(timezone.utc) if date.tzinfo else date.replace(tzinfo=timezone.utc)
