"""What the stand-ins share: JSON over HTTP/1.1 with open connections, and a log written before the answer.

A stand-in is a process of its own and speaks to the product only by its protocol. Its log is the outside world's truth,
so a line is written before whoever caused it is answered.
"""

import json
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from bahal.shared.clock import Clock

LARGEST_BODY = 4 * 1024 * 1024
IDLE_S = 60

Handle = Callable[[Any], tuple[HTTPStatus, Any]]
Ask = Callable[[str, Mapping[str, str]], tuple[HTTPStatus, Any]]


class Log:
    """JSON lines of what happened outside, each with `at` (wall, microseconds) and `business_at`, both UTC."""

    def __init__(self, path: Path, clock: Clock) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._file = path.open("ab", buffering=0)
        self._clock = clock
        self._lock = threading.Lock()

    def write(self, *entries: Mapping[str, Any]) -> None:
        """Write entries at one instant; the operating system has them when this returns."""
        times = {"at": _utc(self._clock.wall()), "business_at": _utc(self._clock.now())}
        lines = "".join(
            json.dumps({"at": times["at"], **entry, "business_at": times["business_at"]}, ensure_ascii=False) + "\n"
            for entry in entries
        )
        with self._lock:
            self._file.write(lines.encode())

    def read(self) -> Iterator[dict[str, Any]]:
        """What was written so far, by this process or by the one before it; a torn last line is passed over."""
        with self._path.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                try:
                    yield json.loads(line)
                except ValueError:
                    continue


def serve(
    *,
    port: int,
    posts: Mapping[str, Handle],
    name: str,
    gets: Mapping[str, Ask] | None = None,
    admit: Callable[[str, str], bool] = lambda _path, _authorization: True,
) -> None:
    """Answer on 127.0.0.1 until SIGTERM: the given paths by POST with JSON, `/healthz` by GET.

    `gets` are answered by GET under everything that begins with their path, with the path and the query; an answer that
    is text is CSV. `admit` is asked first, with the path and the Authorization header. Announces itself on stdout by
    one JSON line with its port, once it listens.

    :raises OSError: the port is taken.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1  # head and body leave together: two small packets would wait for an acknowledgement
        timeout = IDLE_S

        def do_GET(self) -> None:
            asked = urlsplit(self.path)
            if asked.path == "/healthz":
                self._answer(HTTPStatus.OK, {"status": "ok", "room": name})
                return
            ask = next((each for path, each in (gets or {}).items() if asked.path.startswith(path)), None)
            self._handled(asked.path, ask, lambda found: found(asked.path, dict(parse_qsl(asked.query))))

        def do_POST(self) -> None:
            length = self.headers.get("Content-Length", "")
            if not length.isdigit() or int(length) > LARGEST_BODY:
                self.close_connection = True
                self._answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, {"error": "body_malformed"})
                return
            body = self.rfile.read(int(length))
            self._handled(self.path, posts.get(self.path), lambda handle: handle(json.loads(body)))

        def _handled(self, path: str, found: Any, act: Callable[[Any], tuple[HTTPStatus, Any]]) -> None:
            if not admit(path, self.headers.get("Authorization", "")):
                self._answer(HTTPStatus.UNAUTHORIZED, {"error": "unauthorized"})
                return
            if found is None:
                self._answer(HTTPStatus.NOT_FOUND, {"error": "not_found"})
                return
            try:
                status, answer = act(found)
            except (ValueError, TypeError, KeyError, AttributeError) as wrong:
                status, answer = HTTPStatus.BAD_REQUEST, {"error": "body_malformed", "why": str(wrong)}
            self._answer(status, answer)

        def _answer(self, status: HTTPStatus, answer: Any) -> None:
            plain = isinstance(answer, str)
            body = (answer if plain else json.dumps(answer)).encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/csv; charset=utf-8" if plain else "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing: the log of the outside world is written by what happens, not by who asks."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 1024

    with Server(("127.0.0.1", port), Handler) as server:
        signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
        signal.signal(signal.SIGINT, lambda *_: threading.Thread(target=server.shutdown).start())
        sys.stdout.write(json.dumps({"ready": True, "port": server.server_address[1]}) + "\n")
        sys.stdout.flush()
        server.serve_forever(poll_interval=0.1)


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")
