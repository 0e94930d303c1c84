"""Bounds on what visitors may ask: bytes of a request, of all requests, and, if wanted, requests a minute."""

import ipaddress
from contextlib import suppress

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from detector.images import MAX_FILE

# Bytes of a request that is no upload. Of an agent's: one picture in base64, and what is around it; of one that waits
# in the queue, whose picture is uploaded before: names; of others: the answers of a large pile, for its CSV file.
LARGEST = MAX_FILE * 4 // 3 + 2**20
QUEUED, OTHERS = 2**20, 16 * 2**20
TOO_LARGE = "A request like this may have {} MB."
# Bytes of all large ones that are being answered; in JSON and base64 each byte is held about four times.
MOST, LARGE = 3 * LARGEST, 2**20
FULL = "Too many large requests come at once; try again in a minute."
SUBNET = 64  # bits of an IPv6 address that are one visitor's


class TooLarge(Exception):
    """A body that is longer than it may be, or for which there is no room."""


class Limits:
    """ASGI middleware. A picture on the page takes about four requests that count: those that send something."""

    def __init__(self, app: ASGIApp, rate: int | None = None):
        self.app, self.rate = app, rate
        self.limiter = MovingWindowRateLimiter(MemoryStorage()) if rate else None
        self.held = 0  # bytes of bodies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST":
            return await self.app(scope, receive, send)
        if self.limiter and not self.limiter.hit(RateLimitItemPerMinute(self.rate), visitor(scope)):
            sentence = f"That is more than {self.rate} requests in a minute; wait a little."
            answer = JSONResponse({"detail": sentence, "error": sentence}, 429, {"Retry-After": "60"})
            return await answer(scope, receive, send)
        if scope["path"] == "/gradio_api/upload":  # which Gradio bounds itself, and writes to disk as it comes
            return await self.app(scope, receive, send)
        had, refused, most = 0, None, most_of(scope["path"])

        async def bounded() -> Message:
            nonlocal had, refused
            message = await receive()
            had += len(message.get("body", b""))
            self.held += len(message.get("body", b""))
            if had > most:
                told = TOO_LARGE.format(most // 2**20)
                refused = JSONResponse({"detail": told, "error": told}, 413)
            elif had > LARGE and self.held > MOST:
                refused = JSONResponse({"detail": FULL, "error": FULL}, 503, {"Retry-After": "60"})
            if refused:
                raise TooLarge
            return message

        async def unless_refused(message: Message) -> None:
            if not refused:  # else the app says that it cannot read the request
                await send(message)

        try:
            with suppress(TooLarge):
                await self.app(scope, bounded, unless_refused)
        finally:
            self.held -= had
        if refused:
            await refused(scope, receive, send)


def most_of(path: str) -> int:
    """Bytes that a request to this path may have."""
    if path == "/mcp":
        return LARGEST
    return QUEUED if path.startswith(("/gradio_api/queue/", "/gradio_api/call/")) else OTHERS


def visitor(scope: Scope) -> str:
    """Whom a request counts for: an address, or the subnet that one IPv6 customer has."""
    host = (scope.get("client") or ("unknown",))[0]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    address = getattr(address, "ipv4_mapped", None) or address
    return str(ipaddress.ip_network((address, SUBNET), strict=False)) if address.version == 6 else str(address)
