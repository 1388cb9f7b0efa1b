"""The signing page's HTTP server: one request a connection, nobody remembered, no header believed.

HTTP is read by h11. A request must name the page's own host, so that no other name leads here (DNS rebinding); what
changes anything is JSON from the page's own origin. There is no cookie, no session, and no script but one file, which
the page names with its hash. `/healthz` and `/metrics` are answered on the same port.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qs, urlsplit

import h11
import structlog
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from bahal.headend.database import FAILURES
from bahal.headend.status import Health, listen_near
from bahal.interlock.config import PageConfig
from bahal.interlock.signing import page
from bahal.interlock.signing.looking import WarrantUnknown, look
from bahal.interlock.signing.taking import Declined, Taking
from bahal.shared.passkey import Place
from bahal.shared.text import Language

REQUEST_S: Final = 15.0
HEAD_LIMIT: Final = 8_192
BODY_LIMIT: Final = 16_384
AT_ONCE: Final = 32
_STATIC: Final = Path(__file__).parent / "static"
_UUID: Final = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_WARRANT: Final = re.compile(rf"/warrants/({_UUID})(?:/(begin|sign))?")
_ACT: Final = re.compile(r"/acts/([0-9a-f]{64})(?:/(begin|sign))?")
_LOGIN: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'; require-trusted-types-for 'script'"
)
_GUARDS: Final = (
    ("Content-Security-Policy", POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Permissions-Policy", "publickey-credentials-get=(self), publickey-credentials-create=(self)"),
    ("Cache-Control", "no-store"),
    ("Connection", "close"),
)


class Request(NamedTuple):
    """What was asked."""

    method: str
    path: str
    language: Language
    headers: dict[str, str]
    body: bytes


class Answer(NamedTuple):
    """What is answered."""

    status: int
    kind: str
    body: bytes


def _hashed(name: str) -> str:
    return "sha384-" + base64.b64encode(hashlib.sha384((_STATIC / name).read_bytes()).digest()).decode()


class SigningPage:
    """The page of one interlock. It has a place once it listens."""

    def __init__(self, *, taking: Taking, registry: CollectorRegistry, health: Health) -> None:
        self._taking = taking
        self._registry = registry
        self._health = health
        self._static = {
            "/static/sign.js": ("text/javascript; charset=utf-8", (_STATIC / "sign.js").read_bytes()),
            "/static/sign.css": ("text/css; charset=utf-8", (_STATIC / "sign.css").read_bytes()),
        }
        self._hashes = page.Hashes(_hashed("sign.js"), _hashed("sign.css"))
        self._room = asyncio.Semaphore(AT_ONCE)
        self._served: set[asyncio.Task[None]] = set()
        self._log = structlog.get_logger().bind(part="page")

    async def listen(self, stated: PageConfig | None, *, port: int) -> tuple[asyncio.Server, int]:
        """Listen; the server and its port. A rehearsal's origin follows the port that was free.

        :raises OSError: no port is free, or a certificate cannot be read.
        """
        context = None
        if stated is not None and stated.certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            context.load_cert_chain(stated.certificate, stated.key)
        host = "127.0.0.1" if stated is None else stated.address
        server, found = await listen_near(self._protocol, host=host, port=port, ssl=context)
        if stated is not None:
            place = stated.place()
            if stated.origin == f"http://localhost:{port}":
                place = Place(f"http://localhost:{found}", "localhost")
            self._taking.charter.place = place
        return server, found

    def _protocol(self) -> asyncio.Protocol:
        return asyncio.StreamReaderProtocol(asyncio.StreamReader(limit=HEAD_LIMIT), self._connected)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._served.add(task)
        task.add_done_callback(self._served.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(REQUEST_S), self._room:
                connection = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_LIMIT)
                try:
                    request = await _read(connection, reader)
                    answer = await self._answer(request)
                except h11.RemoteProtocolError as malformed:
                    answer = _plain(malformed.error_status_hint, "malformed")
                writer.write(_written(connection, answer))
                await writer.drain()
        except (OSError, TimeoutError, h11.ProtocolError):
            pass  # the peer went away, or stayed too long
        finally:
            writer.close()

    async def _answer(self, request: Request) -> Answer:
        if request.path == "/healthz" and request.method == "GET":
            healthy, told = self._health()
            body = ", ".join(f"{name}: {value}" for name, value in {"healthy": healthy, **told}.items())
            return _plain(200 if healthy else 503, body)
        if request.path == "/metrics" and request.method == "GET":
            return Answer(200, CONTENT_TYPE_LATEST, generate_latest(self._registry))
        if self._taking.charter.place is None:
            return _plain(404, "no page")
        if request.headers.get("host") != urlsplit(self._taking.place.origin).netloc:
            return _plain(421, "another host")
        try:
            if request.method == "GET":
                return await self._show(request)
            if request.method == "POST":
                return await self._act(request)
            return _plain(405, "GET or POST")
        except Declined as declined:
            return self._declined(request, declined)
        except FAILURES as failure:
            self._log.warning("page_failed", path=request.path, error=type(failure).__name__)
            return self._declined(request, Declined("database_away", 503))

    def _declined(self, request: Request, declined: Declined) -> Answer:
        if request.method == "POST":
            said = {"error": declined.name, "data": declined.data} | page.sentences(declined.name, declined.data)
            return _json(declined.status, said)
        return self._page(declined.status, page.refusal(declined.name, declined.data, request.language, self._hashes))

    # --- showing -----------------------------------------------------------------------------------------------------

    async def _show(self, request: Request) -> Answer:
        if request.path in self._static:
            kind, body = self._static[request.path]
            return Answer(200, kind, body)
        taking, now = self._taking, self._taking.clock.now()
        warrant, act = _WARRANT.fullmatch(request.path), _ACT.fullmatch(request.path)
        if warrant is not None and warrant[2] is None:
            profile, signers = taking.charter.caps(now)
            try:
                shown = await look(taking.database, warrant[1], profile=profile, at=now)
            except WarrantUnknown as unknown:
                raise Declined("warrant_unknown", 404) from unknown
            signed = await taking.signed(warrant[1])
            text = page.warrant(shown, signed, profile, signers, now, request.language, self._hashes)
            return self._page(200, text)
        if act is not None and act[2] is None:
            found, _, outcome, signed_by = await taking.act(act[1])
            return self._page(200, page.act(found, outcome, signed_by, request.language, self._hashes))
        if request.path == "/passkeys":
            return self._page(200, page.making(request.language, self._hashes))
        raise Declined("nothing_here", 404)

    def _page(self, status: int, text: str) -> Answer:
        return Answer(status, "text/html; charset=utf-8", text.encode())

    # --- acting ------------------------------------------------------------------------------------------------------

    async def _act(self, request: Request) -> Answer:
        if (
            request.headers.get("origin") != self._taking.place.origin
            or request.headers.get("sec-fetch-site", "same-origin") != "same-origin"
            or request.headers.get("content-type") != "application/json"
        ):
            raise Declined("not_from_this_page", 403)
        try:
            given = json.loads(request.body)
            login = given["login"]
            if not isinstance(login, str) or not _LOGIN.fullmatch(login):
                raise ValueError("login")
        except (ValueError, TypeError, KeyError) as wrong:
            raise Declined("malformed", 400) from wrong
        taking = self._taking
        warrant, act = _WARRANT.fullmatch(request.path), _ACT.fullmatch(request.path)
        done: dict[str, Any]
        if warrant is not None and warrant[2] is not None:
            step: Callable[..., Awaitable[dict[str, Any]]] = taking.begin if warrant[2] == "begin" else taking.sign
            done = await step(warrant[1], login, *(() if warrant[2] == "begin" else (given,)))
        elif act is not None and act[2] is not None:
            step = taking.begin_act if act[2] == "begin" else taking.sign_act
            done = await step(act[1], login, *(() if act[2] == "begin" else (given,)))
        elif request.path == "/passkeys/begin":
            done = taking.begin_making(login)
        elif request.path == "/passkeys/sign":
            done = await taking.make(login, given)
        else:
            raise Declined("nothing_here", 404)
        return _json(200, done)


async def _read(connection: h11.Connection, reader: asyncio.StreamReader) -> Request:
    head: h11.Request | None = None
    body = b""
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(HEAD_LIMIT))
        elif isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
            if len(body) > BODY_LIMIT:
                raise h11.RemoteProtocolError("too long", error_status_hint=413)
        elif isinstance(event, h11.EndOfMessage):
            break
        else:
            raise ConnectionResetError
    assert head is not None
    target = urlsplit(head.target.decode("ascii", "replace"))
    headers = {name.decode(): value.decode("latin-1") for name, value in head.headers}
    wanted = parse_qs(target.query).get("lang", [""])[0] or headers.get("accept-language", "hi")[:2]
    return Request(head.method.decode(), target.path, "en" if wanted == "en" else "hi", headers, body)


def _written(connection: h11.Connection, answer: Answer) -> bytes:
    if connection.our_state is not h11.SEND_RESPONSE and connection.our_state is not h11.IDLE:
        return b""
    headers = [("Content-Type", answer.kind), ("Content-Length", str(len(answer.body))), *_GUARDS]
    data = connection.send(h11.Response(status_code=answer.status, headers=headers)) or b""
    data += connection.send(h11.Data(data=answer.body)) or b""
    return data + (connection.send(h11.EndOfMessage()) or b"")


def _plain(status: int, text: str) -> Answer:
    return Answer(status, "text/plain; charset=utf-8", text.encode() + b"\n")


def _json(status: int, value: dict[str, Any]) -> Answer:
    return Answer(status, "application/json", json.dumps(value, ensure_ascii=False, default=str).encode())
