"""HTTP connections that nobody can hold open: uvicorn's own protocol, with limits in seconds and
number for clients that send nothing.

uvicorn limits the pause between two requests only (`timeout_keep_alive`), and its
`limit_concurrency` refuses everyone once enough connections are open, idle ones too.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_SECONDS = 10.0  # from the connection, or the first byte after an answer, to a whole header
FLUSH_SECONDS = 30.0  # for a client to take the rest of an answer before the connection is cut
MOST_CONNECTIONS = 256


class PatientProtocol(H11Protocol):
    """One connection. If there are too many, the one that has waited longest for its client goes
    first; one whose request is being answered stays.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Expect a header soon."""
        super().connection_made(transport)
        self._header_timer: asyncio.TimerHandle | None = None
        self._waits_since = self.loop.time()
        self._make_room()
        self._expect_header()

    def connection_lost(self, exc: Exception | None) -> None:
        """Expect nothing any more."""
        super().connection_lost(exc)
        self._stop_expecting()

    def data_received(self, data: bytes) -> None:
        """Take bytes; those that do not complete a header do not buy time."""
        super().data_received(data)
        if self._has_request():
            self._stop_expecting()
        else:
            self._expect_header()

    def on_response_complete(self) -> None:
        """Wait for the client again."""
        self._waits_since = self.loop.time()
        super().on_response_complete()
        self._cut_if_unread()

    def timeout_keep_alive_handler(self) -> None:
        """Close the connection, even if the client does not take what is left for it."""
        super().timeout_keep_alive_handler()
        self._cut_if_unread()

    def waits_for_client(self) -> bool:
        """Whether nothing but the client's own bytes can bring this connection on."""
        return not self._has_request() or self.cycle.more_body

    def _has_request(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _expect_header(self) -> None:
        if self._header_timer is None and not self.transport.is_closing():
            self._header_timer = self.loop.call_later(HEADER_SECONDS, self.transport.abort)

    def _stop_expecting(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def _cut_if_unread(self) -> None:
        if self.transport.is_closing() and self.transport.get_write_buffer_size():
            self.loop.call_later(FLUSH_SECONDS, self.transport.abort)

    def _make_room(self) -> None:
        if len(self.connections) <= MOST_CONNECTIONS:
            return
        waiting = [
            one
            for one in self.connections
            if isinstance(one, PatientProtocol) and one.waits_for_client()
        ]
        longest = min(waiting, key=lambda one: one._waits_since)
        longest.transport.abort()
        self.connections.discard(longest)  # or it would be chosen again before it is gone
