"""Who may ask: this machine, or whoever knows the token.

>>> Access("127.0.0.1", None).refusal("elsewhere.example", "").status_code
421
>>> Access("0.0.0.0", "correct-horse-battery").refusal("", "Bearer wrong").status_code
401
"""

from __future__ import annotations

import hmac
import ipaddress
import re
import socket
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from student_perf.errors import ConfigError, one_line
from student_perf.serving.reply import reply

ALIVE = "/health"  # is answered to everyone: it says nothing of the model
_SHORTEST_TOKEN = 16
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True)
class Access:
    """The address to listen on, and the token that a request needs.

    Without a token the address is one of this machine alone, and the Host header must name it:
    a page from elsewhere whose name suddenly means this machine cannot ask through a browser.

    Raises ConfigError if an address that others reach comes without a token.
    """

    host: str
    token: str | None = None

    def __post_init__(self) -> None:
        """Check the address."""
        if self.token is None and not _is_loopback(self.host):
            raise ConfigError(
                f"--host {self.host}: others can reach this address, so requests need a token; "
                "name the file that holds it by --token-file"
            )

    def refusal(self, host: str, authorization: str) -> Response | None:
        """The answer to a request with these headers that is not let in, None if it is."""
        if self._secret is not None:
            scheme, _, given = authorization.partition(" ")
            known = hmac.compare_digest(given.strip().encode(), self._secret)
            if known and scheme.lower() == "bearer":
                return None
            words = "a token is needed; send it as Authorization: Bearer TOKEN"
            return reply(401, {"detail": words}, {"WWW-Authenticate": "Bearer"})
        if _name(host) in self._hosts:
            return None
        return reply(421, {"detail": f"the Host header names neither {self.host} nor localhost"})

    @cached_property
    def _secret(self) -> bytes | None:
        return None if self.token is None else self.token.encode()

    @cached_property
    def _hosts(self) -> frozenset[str]:
        return _LOOPBACK | {self.host.lower()}


class Door:
    """Lets in what an `Access` lets in; `ALIVE` is open to everyone."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve or refuse one request."""
        answer: ASGIApp | None = None
        if scope["type"] == "http" and scope["path"] != ALIVE:
            sent = Headers(scope=scope)
            answer = self._access.refusal(sent.get("host", ""), sent.get("authorization", ""))
        await (answer or self._app)(scope, receive, send)


def read_token(file: str) -> str:
    """The token that a file holds.

    Raises:
        ConfigError: The file cannot be read, or holds no token.
    """
    try:
        token = Path(file).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"--token-file {file}: cannot be read ({one_line(error)}); name a file that holds a "
            "token"
        ) from error
    if not re.fullmatch(rf"[!-~]{{{_SHORTEST_TOKEN},}}", token):
        raise ConfigError(
            f"--token-file {file}: must hold one word of {_SHORTEST_TOKEN} or more ASCII "
            f"characters; make one: openssl rand -hex 32 > {file}"
        )
    return token


def _is_loopback(host: str) -> bool:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ConfigError(
            f"--host {host}: does not name this machine ({one_line(error)}); choose another"
        ) from error
    addresses = [str(address[0]).partition("%")[0] for *_, address in found]
    return all(ipaddress.ip_address(address).is_loopback for address in addresses)


def _name(host: str) -> str:
    """The name in a Host header, without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].rstrip(".").lower()
