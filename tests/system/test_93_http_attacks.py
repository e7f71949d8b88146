"""Attacks over HTTP against real doors: an ingress and a console of these tests' own, spoken to in raw bytes."""

import json
import resource
import select
import threading

import pytest
import requests
from kit import log, signing, stripe_events
from kit.wait import until

from .door import console_of, ingress_of, read_all, refusals, statuses

CONNECTIONS = 10_000
REQUEST_TIMEOUT_S = 2


@pytest.fixture(scope="module")
def door(system):
    with ingress_of(system, SLUICE_INGRESS_REQUEST_TIMEOUT=f"{REQUEST_TIMEOUT_S}s", SLUICE_INGRESS_IN_FLIGHT_MAX="4MiB",
                    SLUICE_INGRESS_MAX_CONNECTIONS=64, SLUICE_INGRESS_CONNECTIONS_PER_ADDRESS=32) as program:
        yield program


@pytest.fixture(scope="module")
def window(system):
    with console_of(system, SLUICE_CONSOLE_REQUEST_TIMEOUT=f"{REQUEST_TIMEOUT_S}s", SLUICE_CONSOLE_STREAMS=10,
                    SLUICE_CONSOLE_STREAMS_PER_USER=10, SLUICE_CONSOLE_MAX_CONNECTIONS=64) as program:
        yield program


def stripe_request(env, framing="Content-Length: {length}\r\n", event=None, path="/webhooks/stripe", headers=""):
    """(event id, bytes): a signed Stripe event; `framing` says how long its body is."""
    event = event or stripe_events.event("customer.created", {"id": "cus_attack", "object": "customer"})
    body = json.dumps(event).encode()
    signature = signing.stripe_header(env["STRIPE_WEBHOOK_SECRET"].split(",")[0], body)
    head = (f"POST {path} HTTP/1.1\r\nHost: door\r\nContent-Type: application/json\r\nStripe-Signature: {signature}\r\n"
            f"{headers}{framing.format(length=len(body), length_more=len(body) + 7)}\r\n")
    return event["id"], head.encode(), body


def send(program, data, source="127.0.0.1"):
    """Gives all that comes back until the other end closes."""
    with program.connect(source) as connection:
        try:
            connection.sendall(data)
        except OSError:
            pass  # refused while it was still being sent
        return read_all(connection)


def published(world, event_id):
    return log.find_event(world.system.env, event_id) != []


def answered(program, source="127.0.0.1"):
    """An honest client of an address gets its answer."""
    _, head, body = stripe_request(program.env)
    with program.connect(source) as connection:
        connection.sendall(head + body)
        return connection.recv(65536).startswith(b"HTTP/1.1 200")


# What two readers could understand differently. Each is followed by a signed event: read as a request of its own, it was smuggled.
FRAMINGS = {
    "a length and a coding": "Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n",
    "a coding and a length": "Transfer-Encoding: chunked\r\nContent-Length: {length}\r\n",
    "two lengths": "Content-Length: {length}\r\nContent-Length: {length_more}\r\n",
    "the same length twice": "Content-Length: {length}\r\nContent-Length: {length}\r\n",
    "a list of lengths": "Content-Length: {length}, {length}\r\n",
    "a length with a sign": "Content-Length: +{length}\r\n",
    "a negative length": "Content-Length: -1\r\n",
    "a length in hexadecimal": "Content-Length: 0x{length}\r\n",
    "a length in two words": "Content-Length: {length} {length}\r\n",
    "an endless length": "Content-Length: 99999999999999999999999999\r\n",
    "an empty length": "Content-Length: \r\n",
    "a folded coding": "Transfer-Encoding:\r\n chunked\r\n",
    "a folded length": "Content-Length:\r\n {length}\r\n",
    "a coding and a folded length": "X: 1\r\n Content-Length: 3\r\nTransfer-Encoding: chunked, identity\r\n",
    "an unknown coding": "Transfer-Encoding: xchunked\r\n",
    "two codings": "Transfer-Encoding: gzip, chunked\r\n",
    "a coding twice": "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
    "chunked twice": "Transfer-Encoding: chunked, chunked\r\n",
    "identity": "Transfer-Encoding: identity\r\n",
    "a coding in quotes": "Transfer-Encoding: \"chunked\"\r\n",
    "a coding behind a tab": "Transfer-Encoding:\tchunked\x0b\r\n",
    "a blank before the colon": "Content-Length : {length}\r\n",
    "a blank before the coding's colon": "Transfer-Encoding : chunked\r\n",
    "a name with a blank": "Content Length: {length}\r\nTransfer-Encoding: chunked, x\r\n",
    "a bare CR": "X: a\rContent-Length: {length}\r\nTransfer-Encoding: chunked\r\n",
    "a NUL": "X: a\x00\r\nContent-Length: {length}\r\nContent-Length: 3\r\n",
}


@pytest.mark.parametrize("framing", FRAMINGS.values(), ids=FRAMINGS.keys())
def test_a_doubtful_length_smuggles_nothing(world, door, framing):
    first_id, head, body = stripe_request(door.env, framing)
    smuggled_id, second_head, second_body = stripe_request(door.env)
    came = refusals(send(door, head + body + second_head + second_body))
    assert not came - {400, 411, 413, 431, 501}, came
    assert not published(world, smuggled_id) and not published(world, first_id)


CHUNKS = {
    "a size with a sign": b"+5\r\nhello\r\n0\r\n\r\n",
    "a size in hexadecimal's spelling": b"0x5\r\nhello\r\n0\r\n\r\n",
    "a size with a minus": b"-5\r\nhello\r\n0\r\n\r\n",
    "a size beyond 64 bits": b"10000000000000005\r\nhello\r\n0\r\n\r\n",
    "no size": b"\r\nhello\r\n0\r\n\r\n",
    "no end of its data": b"5\r\nhelloXX0\r\n\r\n",
    "an endless size": b"5" * 40_000,
    "an endless extension": b"5;" + b"a" * 100_000 + b"\r\nhello\r\n0\r\n\r\n",
    "a letter": b"G\r\nhello\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("chunks", CHUNKS.values(), ids=CHUNKS.keys())
def test_a_doubtful_chunk_smuggles_nothing(world, door, chunks):
    _, head, _ = stripe_request(door.env, "Transfer-Encoding: chunked\r\n")
    smuggled_id, second_head, second_body = stripe_request(door.env)
    came = statuses(send(door, head + chunks + second_head + second_body))
    # 500 is libmicrohttpd's own word for a head or a chunk's line that does not fit
    assert len(came) <= 1 and not set(came) - {400, 408, 413, 500}, came
    assert not published(world, smuggled_id)


def test_a_chunked_body_is_read(world, door):
    """The honest form, and a trailer that would be another length: it is no header."""
    event_id, head, body = stripe_request(door.env, "Transfer-Encoding: chunked\r\nConnection: close\r\n")
    chunks = b"%x\r\n" % 10 + body[:10] + b"\r\n" + b"%X;name=value\r\n" % len(body[10:]) + body[10:] + b"\r\n"
    assert statuses(send(door, head + chunks + b"0\r\nContent-Length: 5\r\n\r\n")) == [200]
    until(lambda: published(world, event_id), "the event in the log")


def test_lines_that_end_without_cr_are_one_request(world, door):
    """Refused, or taken as ends of lines throughout: never both in one head."""
    first_id, head, body = stripe_request(door.env, "Content-Length: {length}\r\nConnection: close\r\n")
    came = statuses(send(door, head.replace(b"\r\n", b"\n") + body))
    assert came in ([200], [400], []) and published(world, first_id) == (came == [200])
    hidden_id, head, body = stripe_request(door.env, "X: a\nTransfer-Encoding: chunked\r\nContent-Length: {length}\r\n")
    came = statuses(send(door, head + body))
    assert came in ([400], []) and not published(world, hidden_id)


PATHS = ["/webhooks/stripe%00", "/webhooks/stripe%00/x", "/webhooks/%00stripe", "/webhooks/stripe%2f", "/webhooks%2fstripe",
         "//webhooks/stripe", "/webhooks//stripe", "/webhooks/./stripe", "/x/../webhooks/stripe", "/webhooks/stripe/",
         "/WEBHOOKS/STRIPE", "/webhooks/stripe%20", "/webhooks/stripe;x", "/webhooks/stripe%23", "/webhooks/stripe%3f",
         "/%77ebhooks/stripe%", "/webhooks/stripe%0", "http://door/webhooks/stripe%00"]


@pytest.mark.parametrize("path", PATHS)
def test_another_spelling_of_a_path_is_another_path(world, door, path):
    event_id, head, body = stripe_request(door.env, path=path, framing="Content-Length: {length}\r\nConnection: close\r\n")
    assert not set(statuses(send(door, head + body))) - {400, 404}
    assert not published(world, event_id)


@pytest.mark.parametrize("path", ["/api/agents%00/x", "/api/agents/%00", "/healthz%00", "/metrics%00x", "/api/events/stream%00"])
def test_the_consoles_paths_end_where_they_seem_to(window, path):
    came = send(window, f"GET {path} HTTP/1.1\r\nHost: w\r\nConnection: close\r\n\r\n".encode())
    assert not set(statuses(came)) - {400, 401, 404}, came[:300]
    token = signing.jwt(window.env["SLUICE_JWT_SECRET"], "user-attack")
    came = send(window, f"GET {path} HTTP/1.1\r\nHost: w\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n".encode())
    assert not set(statuses(came)) - {400, 404}, came[:300]


@pytest.mark.parametrize("rest", [
    "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "Content-Length: 5\r\nContent-Length: 6\r\n",
    "Transfer-Encoding:\r\n chunked\r\n", "Transfer-Encoding: xchunked\r\n", "Content-Length: 5\r\nContent-Length: 5\r\n"])
def test_the_console_reads_no_body_twice(window, rest):
    inner = "GET /healthz HTTP/1.1\r\nHost: w\r\n\r\n"
    came = statuses(send(window, f"GET /readyz HTTP/1.1\r\nHost: w\r\n{rest}\r\n{inner}".encode()))
    assert len(came) <= 1, came


SLOW = {
    "half a request line": b"POST /webhooks/str",
    "half a head": b"POST /webhooks/stripe HTTP/1.1\r\nHost: door\r\nX-A: ",
    "half a body": b"POST /webhooks/stripe HTTP/1.1\r\nHost: door\r\nStripe-Signature: t=1,v1=00\r\nContent-Length: 500\r\n\r\n{",
    "half a chunk": b"POST /webhooks/stripe HTTP/1.1\r\nHost: door\r\nStripe-Signature: t=1,v1=00\r\n"
                    b"Transfer-Encoding: chunked\r\n\r\nff\r\n{",
}


def trickle(program, start, byte):
    """Sends a byte at a time for as long as the other end takes it; what it answered."""
    with program.connect() as connection:
        connection.sendall(start)
        while not select.select([connection], [], [], 0.1)[0]:
            try:
                connection.sendall(byte)
            except OSError:
                break
        return read_all(connection)


@pytest.mark.parametrize("start", SLOW.values(), ids=SLOW.keys())
@pytest.mark.parametrize("byte", [b"", b"a"], ids=["silent", "a trickle"])
def test_a_slow_request_ends(door, start, byte):
    """Both kinds of slowloris: nothing more comes, or a byte comes each time a timeout could begin anew."""
    assert not set(statuses(trickle(door, start, byte))) - {408, 400}
    assert answered(door)


@pytest.mark.parametrize("start", [b"GET /api/ag", b"GET /api/agents HTTP/1.1\r\nHost: w\r\nX: "])
def test_a_slow_request_to_the_console_ends(window, start):
    assert not set(statuses(trickle(window, start, b"a"))) - {408, 400}
    assert requests.get(window.url + "/healthz", timeout=10).status_code == 200


FLOODS = {
    "many headers": "".join(f"X-{number}: a\r\n" for number in range(5_000)),
    "one long header": "X: " + "a" * 200_000 + "\r\n",
    "an endless name": "X" * 200_000 + ": a\r\n",
    "many cookies": "Cookie: " + "; ".join(f"a{number}=b" for number in range(20_000)) + "\r\n",
}


@pytest.mark.parametrize("headers", FLOODS.values(), ids=FLOODS.keys())
def test_a_flood_of_headers_is_refused(world, door, window, headers):
    event_id, head, body = stripe_request(door.env, headers=headers)
    assert not set(statuses(send(door, head + body))) - {400, 413, 431}
    assert not published(world, event_id)
    came = statuses(send(window, f"GET /api/agents HTTP/1.1\r\nHost: w\r\n{headers}\r\n".encode()))
    assert not set(came) - {400, 401, 413, 431}
    long_line = b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: door\r\n\r\n"
    for program in (door, window):
        assert not set(statuses(send(program, long_line))) - {400, 414, 431}
    assert answered(door)


def test_too_large_a_body_is_refused_before_it_is_there(world, door):
    big = 1_048_577
    event_id, head, _ = stripe_request(door.env, framing=f"Content-Length: {big}\r\n")
    came = send(door, head + b"x" * big)
    assert statuses(came) == [413] or came == b""
    _, head, _ = stripe_request(door.env, "Transfer-Encoding: chunked\r\n")
    came = send(door, head + (b"10000\r\n" + b"x" * 65536 + b"\r\n") * 160)
    assert statuses(came) == [413] or came == b""
    assert not published(world, event_id) and answered(door)


def test_pipelined_requests_are_answered_in_order(world, door):
    """Each once, none lost, none doubled; what follows a refusal that ends the connection is not read."""
    parts = [stripe_request(door.env) for _ in range(20)]
    ids = [event_id for event_id, _, _ in parts]
    stream = b"".join(head + body for _, head, body in parts)
    last = b"GET /nowhere HTTP/1.1\r\nHost: door\r\nConnection: close\r\n\r\n"
    assert statuses(send(door, stream + last)) == [200] * 20 + [404]
    # a 200 says that it is in the log; they are of one customer, and so of one partition
    places = [(headers["ce_id"], partition, offset)
              for partition, offset, _, _, headers in log.read_topic(world.system.env, "sluice.events.v1")
              if headers.get("ce_id") in ids]
    assert [event_id for event_id, _, _ in sorted(places, key=lambda place: place[2])] == ids
    assert len({partition for _, partition, _ in places}) == 1


def test_half_open_connections_are_let_go(door):
    """Clients that close their side in the middle, or vanish."""
    _, head, body = stripe_request(door.env)
    before = door.ingress().metrics()["sluice_ingress_connections"]
    opened = []
    for cut in range(1, len(head), 40):
        connection = door.connect("127.0.0.3")
        connection.sendall((head + body)[:cut])
        connection.shutdown(1)
        opened.append(connection)
        if len(opened) == 24:
            break
    ends = [read_all(connection) for connection in opened]
    assert all(not set(statuses(end)) - {400, 408} for end in ends)
    for connection in opened:
        connection.close()
    until(lambda: door.ingress().metrics()["sluice_ingress_connections"] <= before + 1, "the connections to be gone")
    assert answered(door)


def test_one_address_does_not_take_every_connection(door):
    """64 connections, 32 of one address: another one still gets in, at once and not when those have timed out."""
    held = []
    try:
        for _ in range(64):
            connection = door.connect("127.0.0.1")
            connection.sendall(b"POST /webhooks/stripe HTTP/1.1\r\n")
            held.append(connection)
        assert answered(door, "127.0.0.2")
    finally:
        for connection in held:
            connection.close()


def test_one_address_does_not_take_all_the_room(door):
    """Bodies that never end hold bytes: not all that there are for requests under way."""
    held = []
    try:
        for _ in range(20):  # 20 times nearly 1 MiB, of 4
            connection = door.connect("127.0.0.1")
            _, head, _ = stripe_request(door.env, framing="Content-Length: 1000000\r\n")
            try:
                connection.sendall(head + b" " * 900_000)
            except OSError:
                pass  # refused in the middle of it
            held.append(connection)
        assert answered(door, "127.0.0.2")
    finally:
        for connection in held:
            connection.close()


def test_one_addresss_requests_do_not_starve_another(door):
    """Eight connections of one address send as fast as they can; each request of another is answered meanwhile."""
    enough = threading.Event()
    flood = b"POST /webhooks/stripe HTTP/1.1\r\nHost: door\r\nStripe-Signature: t=1,v1=00\r\nContent-Length: 2\r\n\r\n{}" * 50
    counts = []

    def flooder():
        count = 0
        while not enough.is_set():
            with door.connect("127.0.0.1") as connection:
                connection.sendall(flood + b"GET /x HTTP/1.1\r\nHost: door\r\nConnection: close\r\n\r\n")
                count += len(statuses(read_all(connection)))
        counts.append(count)

    threads = [threading.Thread(target=flooder) for _ in range(8)]
    for thread in threads:
        thread.start()
    try:
        assert all(answered(door, "127.0.0.2") for _ in range(20))
    finally:
        enough.set()
        for thread in threads:
            thread.join()
    assert sum(counts) > 0


def test_ten_thousand_idle_connections(system):
    """They cost little, others are answered, and they are let go when their time is over."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS + 1_000
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))
    count = min(CONNECTIONS, min(wanted, hard) - 500)
    held = []
    try:
        with ingress_of(system, SLUICE_INGRESS_MAX_CONNECTIONS=CONNECTIONS + 200) as door:
            before = door.rss_mb()
            for number in range(count):
                held.append(door.connect(f"127.0.1.{number % 200 + 1}"))
            until(lambda: door.ingress().metrics()["sluice_ingress_connections"] >= count, "all of them to be open", 60)
            assert answered(door, "127.0.0.2")
            grown = door.rss_mb() - before
            # a build with AddressSanitizer keeps a shadow and red zones beside what it uses
            limit = 300 if system.env["SLUICE_PRESET"] == "asan" else 130
            assert grown < limit, f"{count} idle connections take {grown:.0f} MB"
            print(f"{count} idle connections: {before:.0f} MB before, {grown:.0f} MB more")
    finally:
        for connection in held:
            connection.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
