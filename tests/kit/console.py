"""A reader of the console: its API, as a user or as ops, and its streams of server-sent events."""

import http.client
import socket
import threading
import urllib.parse

import requests

from . import signing
from .ingress import parse_metrics
from .wait import until

TIMEOUT_S = 40


class Stream:
    """An open stream; a thread of its own takes what comes. Events are dicts with `id`, `event` and `data`."""

    def __init__(self, url, headers):
        self.events = []
        self.comments = []
        self.last_id = None
        self.is_ended = False
        self._fields = {}
        parts = urllib.parse.urlsplit(url)
        self._connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=TIMEOUT_S)
        self._connection.request("GET", parts.path, headers=headers)
        self._socket = self._connection.sock
        self._response = self._connection.getresponse()
        assert self._response.status == 200, self._response.read()
        assert self._response.headers["Content-Type"] == "text/event-stream"
        assert self._response.headers["Cache-Control"] == "no-store"
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        rest = b""
        try:
            while chunk := self._response.read1(65536):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    self._take(line.decode())
        except (OSError, http.client.HTTPException, ValueError):
            pass  # cut off, by the other end or by us
        self.is_ended = True

    def _take(self, line):
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if line == "":
            self.last_id = self._fields.get("id", self.last_id)
            if "data" in self._fields:
                self.events.append({**self._fields, "id": self.last_id})
            self._fields = {}
        elif name == "":
            self.comments.append(value)
        elif name == "data" and "data" in self._fields:
            self._fields["data"] += "\n" + value
        else:
            self._fields[name] = value

    def opened(self):
        """Waits for the first id: from there on nothing is missed."""
        until(lambda: self.last_id is not None, "the stream to begin")
        return self

    def got(self, count, timeout_s=30):
        """Waits for so many events, and gives all there are."""
        until(lambda: len(self.events) >= count, f"{count} events", timeout_s)
        return list(self.events)

    def ended(self, timeout_s=30):
        until(lambda: self.is_ended, "the stream to end", timeout_s)
        return self

    def close(self):
        """Afterwards nothing more comes in."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the other end was faster
        self._thread.join(TIMEOUT_S)
        self._connection.close()


class Console:
    def __init__(self, env):
        self.url = env["SLUICE_CONSOLE_URL"]
        self.env = env
        self.session = requests.Session()

    def token(self, user_id, **claims):
        return signing.jwt(self.env["SLUICE_JWT_SECRET"], user_id, **claims)

    def get(self, user_id, path, method="GET", params=None, **claims):
        """As a user, by a token of the user's own."""
        headers = {"Authorization": f"Bearer {self.token(user_id, **claims)}"}
        return self.session.request(method, self.url + path, headers=headers, params=params, timeout=TIMEOUT_S)

    def read(self, user_id, path, params=None, **claims):
        """The same, of what is there: its document."""
        answer = self.get(user_id, path, params=params, **claims)
        assert answer.status_code == 200, answer.text
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.headers["Cache-Control"] == "no-store"
        return answer.json()

    def ops(self, path, user_id=None):
        headers = {"Authorization": f"Bearer {self.env['SLUICE_CONSOLE_TOKEN']}"}
        params = {"user_id": user_id} if user_id else None
        return self.session.get(self.url + path, headers=headers, params=params, timeout=TIMEOUT_S)

    def stream(self, user_id, last_event_id=None, **claims):
        headers = {"Authorization": f"Bearer {self.token(user_id, **claims)}"}
        if last_event_id is not None:
            headers["Last-Event-ID"] = last_event_id
        return Stream(self.url + "/api/events/stream", headers)

    def metrics(self):
        return parse_metrics(self.session.get(self.url + "/metrics", timeout=TIMEOUT_S).text)

    def ready(self):
        def probe():
            try:
                return requests.get(self.url + "/readyz", timeout=5).status_code == 200
            except requests.RequestException:
                return False
        until(probe, "the console to be ready", 60)
