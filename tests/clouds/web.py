"""The HTTP side that all clouds share: listening, routing, the faults, and the record of each call.

A Service turns a request into a Reply by a table of routes; a Cloud is a Service with admission (credentials, rate
limits), faults and the ledger around it. Handlers are plain functions that neither wait nor fail half-way: a request
takes effect whole, or not at all. aiohttp's low-level server carries it, one port per service.
"""

import asyncio
import dataclasses
import inspect
import json
import re
import socket
import struct
import sys
import traceback
import urllib.parse

from aiohttp import web

from .ledger import MAX_BODY

BACKLOG = 4096
HANG_LIMIT_MS = 3600 * 1000
RUNNER_AGENT = "sluice-simulated-runner/1"


@dataclasses.dataclass(slots=True)
class Reply:
    """An answer to be sent: the payload as bytes, headers as they go out."""

    status: int
    payload: bytes = b""
    headers: dict = dataclasses.field(default_factory=dict)


class Refusal(Exception):
    """Raised by a handler to answer with a refusal; nothing has taken effect."""

    def __init__(self, reply):
        super().__init__(reply.status)
        self.reply = reply


class Request:
    """A request as handlers see it: everything read, nothing to wait for."""

    __slots__ = ("arguments", "body", "call", "client", "headers", "method", "path", "query", "query_string")

    def __init__(self, http, body, call):
        self.method = http.method
        self.path = http.path
        self.query = http.query
        self.query_string = http.query_string
        self.headers = http.headers
        self.body = body
        self.call = call
        self.client = "runner" if http.headers.get("User-Agent") == RUNNER_AGENT else "product"
        self.arguments = {}

    def effect(self, what):
        """Notes in the ledger what this call changed."""
        if self.call is not None:
            self.call.effect = what

    def bearer(self):
        """The token of `Authorization: Bearer`, or None."""
        scheme, _space, token = self.headers.get("Authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else None


def json_reply(status, document, headers=None):
    """A Reply with a JSON body."""
    reply = Reply(status, json.dumps(document, separators=(",", ":")).encode(), dict(headers or {}))
    reply.headers["Content-Type"] = "application/json; charset=utf-8"
    return reply


class Service:
    """A table of routes behind one port."""

    name = ""

    def __init__(self):
        self._static = {}
        self._dynamic = []
        for method, pattern, handler in self.routes():
            self._add_route(method, pattern, handler)

    def routes(self):
        """[(method, "/path/{name}", handler)]; {name} is one segment and lands in request.arguments."""
        raise NotImplementedError

    def resolve(self, method, path):
        """Answers (handler, arguments, allowed methods); handler None when there is no such route."""
        found = self._static.get(path)
        if found is not None and method in found:
            return found[method], {}, ()
        allowed = list(found or ())
        for pattern, handlers in self._dynamic:
            match = pattern.fullmatch(path)
            if match is None:
                continue
            if method in handlers:
                return handlers[method], match.groupdict(), ()
            allowed.extend(handlers)
        return None, {}, tuple(allowed)

    def no_route(self, request, allowed):
        """The reply for an unknown path (allowed empty) or method."""
        if allowed:
            return json_reply(405, {"error": "method not allowed"}, {"Allow": ", ".join(sorted(set(allowed)))})
        return json_reply(404, {"error": "not found"})

    async def serve(self, http):
        """aiohttp's handler: one HTTP request in, one response out."""
        raise NotImplementedError

    def _add_route(self, method, pattern, handler):
        if "{" not in pattern:
            self._static.setdefault(pattern, {})[method] = handler
            return
        expression = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", pattern))
        for known, handlers in self._dynamic:
            if known.pattern == expression.pattern:
                handlers[method] = handler
                return
        self._dynamic.append((expression, {method: handler}))


class Cloud(Service):
    """A simulated cloud. Subclasses give routes, admission, error shapes and their own headers."""

    def __init__(self, simulation):
        self.simulation = simulation
        self.clock = simulation.clock
        self.ledger = simulation.ledger
        self.random = simulation.random
        self.settings = getattr(simulation.settings, self.name)
        self._background = set()
        self.crashes = 0
        super().__init__()

    # What a cloud may say for itself.

    def admit(self, request):
        """A Reply that refuses the request before anything else (credentials, limits), or None."""
        raise NotImplementedError

    def error_reply(self, status):
        """The cloud's own error body for a status, as fault injection sends it."""
        raise NotImplementedError

    def rate_limited_reply(self):
        """The cloud's answer when its rate limit is used up."""
        raise NotImplementedError

    def decorate(self, request, reply):
        """Adds the headers this cloud puts on every answer."""

    def idempotency_key(self, request):
        return None

    def reset(self):
        """Forgets all state."""
        raise NotImplementedError

    def summary(self):
        """What GET /summary says about this cloud."""
        raise NotImplementedError

    def ledger_row(self, resource):
        """What GET /ledger says about a resource beside its record: its present state, where it lives."""
        return {}

    # The way of a request.

    async def serve(self, http):
        self.clock.run_due()
        call = self.ledger.begin(self.name, http.method, http.path, http.query_string)
        status = 0
        try:
            request = Request(http, await http.read(), call)
            call.client = request.client
            call.body = request.body[:MAX_BODY]
            call.idempotency_key = self.idempotency_key(request)
            fault = self.simulation.faults.pick(self.name, request)
            if fault is None:
                reply = await self.answer(request)
            else:
                call.fault = fault.kind
                reply = await self._strike(http, request, fault)
            if reply is None:
                return web.Response(status=500)  # never arrives: the connection is cut
            self.decorate(request, reply)
            status = reply.status
            return web.Response(status=status, body=reply.payload, headers=reply.headers)
        except web.HTTPException as refusal:
            status = refusal.status
            return web.Response(status=status, text=refusal.text)
        except Exception:  # a mistake of the simulator: shown, counted, and answered as a server's
            traceback.print_exc()
            self.crashes += 1
            status = 500
            return web.Response(status=status, text="the simulator failed")
        finally:
            self.ledger.end(call, status)

    async def answer(self, request):
        """The faultless answer to a request."""
        refusal = self.admit(request)
        if refusal is not None:
            return refusal
        return await self.execute(request)

    async def execute(self, request):
        """Runs the handler, after the cloud's latency; a client that leaves meanwhile doesn't stop it."""
        latency_ms = self.settings.latency_ms
        if latency_ms:
            return await self.detach(self._execute_after(request, latency_ms))
        return self.run(request)

    def run(self, request):
        """Routes the request to its handler; answers the Reply."""
        handler, request.arguments, allowed = self.resolve(request.method, request.path)
        if handler is None:
            return self.no_route(request, allowed)
        try:
            return handler(request)
        except Refusal as refusal:
            return refusal.reply

    async def detach(self, work):
        """Awaits work that goes on even when the client has left."""
        task = asyncio.ensure_future(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return await asyncio.shield(task)

    async def _execute_after(self, request, delay_ms):
        await self.clock.sleep(delay_ms)
        return self.run(request)

    # Faults. Each answers a Reply, or None once the connection is cut.

    async def _strike(self, http, request, fault):
        if fault.kind == "delay":
            return await self.detach(self._answer_late(request, fault.ms))
        if fault.kind in ("lose_answer", "half_answer", "hang_after"):
            reply = await self.detach(self.answer(request))
            self.decorate(request, reply)
            if fault.kind == "half_answer":
                _send_half(http, reply)
                return None
            if fault.kind == "hang_after":
                await self.clock.sleep(HANG_LIMIT_MS if fault.ms is None else fault.ms)
            _cut(http, reset=False)
            return None
        if fault.kind == "hang":
            await self.clock.sleep(HANG_LIMIT_MS if fault.ms is None else fault.ms)
            _cut(http, reset=False)
            return None
        if fault.kind == "reset":
            _cut(http, reset=True)
            return None
        return self._error_of(fault)

    async def _answer_late(self, request, delay_ms):
        await self.clock.sleep(delay_ms)
        return await self.answer(request)

    def _error_of(self, fault):
        if fault.kind == "rate_limited":
            reply = self.rate_limited_reply()
        elif fault.kind == "html_error":
            page = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway" \
                   "</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
            reply = Reply(fault.status, page.encode(), {"Content-Type": "text/html"})
        elif fault.body is None:
            reply = self.error_reply(fault.status)
        elif isinstance(fault.body, str):
            reply = Reply(fault.status, fault.body.encode(), {"Content-Type": "text/plain"})
        else:
            reply = json_reply(fault.status, fault.body)
        reply.headers.update(fault.headers)
        return reply


def _cut(http, reset):
    """Ends the connection without an answer: a FIN, or with reset an RST."""
    transport = http.transport
    if transport is None:
        return
    if reset:
        raw = transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def _send_half(http, reply):
    """Sends the head with the full length and half of the body, then closes."""
    transport = http.transport
    if transport is None:
        return
    headers = {**reply.headers, "Content-Length": str(max(2, len(reply.payload)))}
    head = f"HTTP/1.1 {reply.status} OK\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    transport.write(head.encode() + b"\r\n" + reply.payload[:len(reply.payload) // 2])
    transport.close()


class ControlService(Service):
    """The plain service for the control port: handlers may wait; no faults, no ledger."""

    async def serve(self, http):
        try:
            request = Request(http, await http.read(), None)
            handler, request.arguments, allowed = self.resolve(request.method, request.path)
            if handler is None:
                reply = self.no_route(request, allowed)
            else:
                reply = handler(request)
                if inspect.isawaitable(reply):
                    reply = await reply
        except Refusal as refusal:
            reply = refusal.reply
        except web.HTTPException as refusal:
            return web.Response(status=refusal.status, text=refusal.text)
        except Exception as error:
            traceback.print_exc()
            reply = json_reply(500, {"error": f"{type(error).__name__}: {error}"})
        return web.Response(status=reply.status, body=reply.payload, headers=reply.headers)


class Listener:
    """A service on a port of 127.0.0.1 that can be taken away and brought back."""

    def __init__(self, service, port=0):
        self._service = service
        self.port = port
        self._server = None
        self._protocols = None

    @property
    def is_open(self):
        return self._server is not None

    async def open(self):
        """Listens; the first time on a free port unless one was given, later on the same."""
        if self._server is not None:
            return
        loop = asyncio.get_running_loop()
        protocols = web.Server(self._service.serve, handler_cancellation=True, access_log=None)
        self._protocols = protocols
        self._server = await loop.create_server(protocols, "127.0.0.1", self.port, backlog=BACKLOG,
                                                reuse_address=True)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self):
        """Stops listening and drops every connection."""
        if self._server is None:
            return
        server, self._server = self._server, None
        server.close()
        for protocol in self._protocols.connections:
            if protocol.transport is not None:
                protocol.transport.abort()
        await server.wait_closed()
        await self._protocols.shutdown(0.1)


def decode_json(request, on_error):
    """The body as JSON; on_error(message) makes the Reply of the refusal."""
    try:
        return json.loads(request.body)
    except ValueError as error:
        raise Refusal(on_error(str(error))) from error


def next_link(host_url, request, page_count):
    """A Link header's value for page-numbered lists, or None. page_count: the last page, page from the query."""
    page = positive(request.query.get("page"), 1)
    wanted = [("prev", page - 1)] if page > 1 else []
    if page < page_count:
        wanted += [("next", page + 1), ("last", page_count)]
    if not wanted:
        return None
    links = []
    for relation, number in wanted:
        query = [(key, value) for key, value in request.query.items() if key != "page"] + [("page", str(number))]
        links.append(f'<{host_url}{request.path}?{urllib.parse.urlencode(query)}>; rel="{relation}"')
    return ", ".join(links)


def positive(value, default, most=None):
    """A positive number of a query parameter, or the default; cut to `most`."""
    number = int(value) if value is not None and value.isascii() and value.isdigit() and int(value) > 0 else default
    return number if most is None else min(number, most)


def complain(message):
    """A line for whoever reads the simulator's log."""
    print(f"clouds: {message}", file=sys.stderr, flush=True)
