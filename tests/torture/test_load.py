"""The senders and the load, against an ingress of a few lines that answers as it is told."""

import asyncio
import hashlib
import json
import random
import threading

import pytest
from kit.signing import stripe_header
from kit.wait import until

from .bodies import SEALED, sha256_of, shows_token
from .load import Load
from .population import Knowledge, Pay, Population, Teams, group_of
from .senders import Delivery, Door, Patience, Senders, Signer, read_answer

ENV = {"STRIPE_WEBHOOK_SECRET": "whsec_a,whsec_b", "DASHBOARD_WEBHOOK_SECRET": "whsec_YWJj", "SLUICE_JWT_SECRET": "s",
       "GITHUB_CALLBACK_SECRET": "c", "SLUICE_DATA_KEYS": "1:" + "A" * 43 + "=", "SLUICE_CLOUDS_CONTROL_URL": "http://none",
       "DATABASE_URL": "postgresql://127.0.0.1:1/none"}
QUICK = Patience(0.001, 0.002)


class Ingress:
    """Answers with the statuses given, the last of them for good; None cuts the connection. A thread of its own."""

    def __init__(self, *statuses, body=b'{"received":true}'):
        self.statuses, self.body = list(statuses), body
        self.requests = []  # (head, body)
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        threading.Thread(target=self._run, daemon=True).start()
        assert self._ready.wait(10)

    def _run(self):
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._ready.set()
        self._loop.run_forever()

    async def _serve(self, reader, writer):
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = next(int(line.split(":")[1]) for line in head.split("\r\n") if line.startswith("Content-Length"))
                self.requests.append((head, await reader.readexactly(length)))
                status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
                if status is None:
                    break
                place = len(self.requests)
                writer.write(f"HTTP/1.1 {status} x\r\nSluice-Receipt: sluice.events.v1/1/{place}\r\n"
                             f"Content-Length: {len(self.body)}\r\n\r\n".encode() + self.body)
        except EOFError:
            pass
        writer.close()

    def close(self):
        self._loop.call_soon_threadsafe(self._loop.stop)


@pytest.fixture
def ingress():
    made = []

    def make(*statuses, **more):
        made.append(Ingress(*statuses, **more))
        return made[-1]
    yield make
    for each in made:
        each.close()


def stripe(event_id="evt_1"):
    body = json.dumps({"id": event_id}).encode()
    return Delivery("/webhooks/stripe", event_id, "stripe.payout.paid", "u", "u", body, "/webhooks/stripe")


def deliver(server, delivery, urls=None, give_up_after=None):
    """(whether it had its end, [(status, is a retry)])."""
    records = []

    async def main():
        door = Door(lambda: [server.url] if urls is None else urls)
        senders = Senders(door, Signer(ENV), note, random.Random(1), QUICK)

        def note_and_stop(_delivery, answer, is_retry):
            records.append((answer.status, is_retry))
            if len(records) == give_up_after:
                senders.give_up()
        senders._record = note_and_stop
        done = await senders.deliver(delivery)
        door.close()
        return done

    def note(*_):
        raise AssertionError("replaced before the first attempt")
    return asyncio.run(main()), records


@pytest.mark.parametrize("first", (503, 500, 429, 408, 301, None))
def test_whatever_is_no_2xx_is_tried_again(ingress, first):
    server, delivery = ingress(first, first, 200), stripe()
    assert deliver(server, delivery) == (True, [(first or 0, False), (first or 0, True), (200, True)])
    assert delivery.is_promised and len({body for _head, body in server.requests}) == 1


@pytest.mark.parametrize("status", (400, 401, 404, 413))
def test_a_refusal_is_an_end(ingress, status):
    delivery = stripe()
    assert deliver(ingress(status), delivery) == (True, [(status, False)])
    assert not delivery.is_promised


def test_an_outcome_is_an_end_whatever_its_status(ingress):
    told = {"result": "rejected", "errorCode": "CLOUD_UNAVAILABLE"}
    body = json.dumps({"errorCode": "CLOUD_UNAVAILABLE", "outcome": told})
    delivery = stripe()
    assert deliver(ingress(503, body=body.encode()), delivery)[0]
    assert delivery.is_promised


def test_a_sender_that_gives_up_says_so(ingress):
    delivery = stripe()
    assert deliver(ingress(503), delivery, give_up_after=3) == (False, [(503, False), (503, True), (503, True)])
    assert not delivery.is_promised


def test_nobody_there_is_no_answer():
    assert deliver(None, stripe(), urls=[], give_up_after=1) == (False, [(0, False)])
    assert deliver(None, stripe(), urls=["http://127.0.0.1:1"], give_up_after=1) == (False, [(0, False)])


def test_each_attempt_is_signed_anew():
    signer, delivery = Signer(ENV), stripe()
    for now in (1000, 2000):
        assert signer.headers(delivery, now) == [("Stripe-Signature", stripe_header("whsec_a", delivery.body, now))]


def test_an_answer_is_read_whole():
    async def read(data):
        reader = asyncio.StreamReader()
        reader.feed_data(data)
        reader.feed_eof()
        return await read_answer(reader)
    answer, keeps = asyncio.run(read(b"HTTP/1.1 202 Accepted\r\nsluice-receipt: t/1/2\r\nContent-Length: 2\r\n\r\n{}"))
    assert (answer.status, answer.receipt, answer.outcome, keeps) == (202, "t/1/2", None, True)
    assert not asyncio.run(read(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"))[1]
    with pytest.raises(EOFError):
        asyncio.run(read(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"))


def test_a_population_has_everything_under_ids_of_its_own():
    population = Population(random.Random(3), 9000, Knowledge(), b"k")
    made = [population.draw().next() for _ in range(6000)]
    deliveries = [each.delivery if isinstance(each, Teams) else each for each in made if not isinstance(each, Pay)]
    assert len({(each.source, each.id) for each in deliveries}) == len(deliveries)
    assert len({each.type for each in deliveries}) > 25
    assert {each.source for each in deliveries} == {"/webhooks/stripe", "/webhooks/dashboard", "/api",
                                                    "/webhooks/github/callback"}
    groups = {group.name for group in population.groups}
    assert all(group_of(each.key) in groups for each in deliveries)
    hot = sum(group_of(each.key) in {group.name for group in population.groups[:6]} for each in deliveries)
    assert hot > len(deliveries) / 10


def sealed(body):
    """The digest of a command whose token ingress seals; None of all others."""
    document = json.loads(body)
    kind = f"command.{document.get('type')}"
    return sha256_of(kind, body) if kind in SEALED else None


def test_a_sealed_token_changes_no_digest_and_an_open_one_is_seen():
    kind = "command.invite.accept"
    sent = b'{"type": "invite.accept", "data": {"user_id": "u", "token": "t"}}'
    kept = b'{"type":"invite.accept","data":{"token_sealed":"1:AAAA","user_id":"u"}}'
    other = b'{"type":"invite.accept","data":{"token_sealed":"1:AAAA","user_id":"v"}}'
    assert sha256_of(kind, sent) == sha256_of(kind, kept) != sha256_of(kind, other)
    assert shows_token(kind, sent) and not shows_token(kind, kept)
    assert sha256_of("command.run.start", sent) != sha256_of("command.run.start", kept)


def test_a_load_says_what_became_of_each(ingress, tmp_path, monkeypatch):
    server = ingress(503, None, 200)
    monkeypatch.setattr("torture.load.Clouds", lambda env: type("Clouds", (), {
        "configure": staticmethod(lambda **_: None), "graph_token": staticmethod(lambda *_: None)}))
    load = Load(lambda: [server.url], ENV, 7, 200, 1.0, tmp_path / "out").start()
    until(lambda: load.counts()["events"] >= 200, "the load to begin all")
    load.stop()
    lines = [json.loads(line) for line in (tmp_path / "out").read_text(encoding="utf-8").splitlines()]
    counts = load.counts()
    assert len(lines) == counts["sent"] == len(server.requests)
    assert counts["given up"] == counts["refused"] == counts["under way"] == 0
    assert counts["retried"] == counts["non-2xx"] + counts["unanswered"] >= 2
    assert counts["duplicates"] > 5 and counts["accepted"] == counts["events"] + counts["duplicates"]
    sent = {digest for _head, body in server.requests for digest in (hashlib.sha256(body).hexdigest(), sealed(body))}
    assert {line["sha256"] for line in lines} - {None} <= sent
    assert {line["status"] for line in lines} == {503, 0, 200}
