"""Writes signatures.json and envelopes.json beside itself; with --check, fails where they differ from what it would.

The MACs come from Python's hmac module, so that Sluice is not compared with itself. Published examples are asserted.
"""
import base64
import hashlib
import hmac
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
NOW = 1795255200  # 2026-11-21T10:00:00Z
BODY = '{"id":"evt_1","object":"event","type":"invoice.paid","data":{"object":{"id":"in_1","amounts":[1,2.5,null]}}}'
BINARY = b'{"text":"gr\xc3\xbc\xc3\x9fe \xf0\x9f\x9a\x80","raw":"\xff\x00"}'


def mac(key, data):
    key = key.encode() if isinstance(key, str) else key
    data = data.encode() if isinstance(data, str) else data
    return hmac.new(key, data, hashlib.sha256)


def case(name, source, secrets, headers, body, expect, now_s=NOW, secret_index=None):
    row = {"name": name, "source": source, "secrets": secrets, "headers": headers}
    if isinstance(body, bytes):
        row["body_base64"] = base64.b64encode(body).decode()
    else:
        row["body"] = body
    row["now_s"] = now_s
    row["expect"] = expect
    if secret_index is not None:
        row["secret_index"] = secret_index
    return row


# --- Stripe: t=<unix>,v1=<hex>, the key being the whole text "whsec_…"

NEW, OLD, FOREIGN = "whsec_new_0123456789abcdef", "whsec_old_0123456789abcdef", "whsec_of_somebody_else"


def stripe_mac(secret, body, t=NOW):
    body = body.encode() if isinstance(body, str) else body
    return mac(secret, str(t).encode() + b"." + body).hexdigest()


def stripe_row(name, header, expect, body=BODY, secrets=(NEW, OLD), index=None, now_s=NOW):
    headers = {} if header is None else {"Stripe-Signature": header}
    return case("stripe: " + name, "stripe", list(secrets), headers, body, expect, now_s, index)


def stripe_rows():
    good = stripe_mac(NEW, BODY)
    old = stripe_mac(OLD, BODY)
    foreign = stripe_mac(FOREIGN, BODY)

    def at(t):
        return f"t={t},v1={stripe_mac(NEW, BODY, t)}"

    pretty = json.dumps(json.loads(BODY), indent=2)
    return [
        stripe_row("signed with the first secret", f"t={NOW},v1={good}", "ok", index=0),
        stripe_row("signed with the second secret, while it rotates", f"t={NOW},v1={old}", "ok", index=1),
        stripe_row("several signatures, the last is ours", f"t={NOW},v1={foreign},v1={old},v1={good}", "ok"),
        stripe_row("another scheme beside ours", f"t={NOW},v0={foreign},v1={good}", "ok", index=0),
        stripe_row("the time behind the signature", f"v1={good},t={NOW}", "ok", index=0),
        stripe_row("a v1 that is no digest beside a good one", f"t={NOW},v1=zz,v1={good}", "ok", index=0),
        stripe_row("exactly the tolerance ago", at(NOW - 300), "ok", index=0),
        stripe_row("exactly the tolerance ahead", at(NOW + 300), "ok", index=0),
        stripe_row("a body that is not UTF-8 and has a NUL", f"t={NOW},v1={stripe_mac(NEW, BINARY)}", "ok", BINARY,
                   index=0),
        stripe_row("an empty body", f"t={NOW},v1={stripe_mac(NEW, '')}", "ok", "", index=0),
        stripe_row("one second beyond the tolerance", at(NOW - 301), "stale"),
        stripe_row("a delivery of last week", at(NOW - 604800), "stale"),
        stripe_row("one second too far ahead", at(NOW + 301), "future"),
        stripe_row("no header", None, "no_header"),
        stripe_row("nobody's secret", f"t={NOW},v1={foreign}", "no_match"),
        stripe_row("old and forged: the signature is judged first", f"t={NOW - 9999},v1={foreign}", "no_match"),
        stripe_row("signed for another time", f"t={NOW - 1},v1={good}", "no_match"),
        stripe_row("one bit of the signature flipped", f"t={NOW},v1={good[:-1]}{int(good[-1], 16) ^ 1:x}", "no_match"),
        stripe_row("upper-case digits", f"t={NOW},v1={good.upper()}", "no_match"),
        stripe_row("a digest that is cut short", f"t={NOW},v1={good[:-2]}", "no_match"),
        stripe_row("the secret without its prefix", f"t={NOW},v1={stripe_mac(NEW[6:], BODY)}", "no_match"),
        stripe_row("one byte of the body changed", f"t={NOW},v1={good}", "no_match", BODY.replace("in_1", "in_2")),
        stripe_row("the body re-serialised on its way", f"t={NOW},v1={good}", "altered", pretty),
        stripe_row("a newline added on its way", f"t={NOW},v1={good}", "altered", BODY + "\n"),
        stripe_row("only the test scheme v0", f"t={NOW},v0={good}", "malformed"),
        stripe_row("no time", f"v1={good}", "malformed"),
        stripe_row("two times", f"t={NOW},t={NOW},v1={good}", "malformed"),
        stripe_row("a time that is no number", f"t=now,v1={good}", "malformed"),
        stripe_row("a negative time", f"t=-{NOW},v1={good}", "malformed"),
        stripe_row("a time without end", f"t={'9' * 30},v1={good}", "malformed"),
        stripe_row("a part without =", f"t={NOW},v1={good},huh", "malformed"),
        stripe_row("an empty header", "", "malformed"),
        stripe_row("no signature", f"t={NOW}", "malformed"),
    ]


# --- GitHub: sha256=<hex>

GITHUB = "It's a Secret to Everybody"
GITHUB_PUBLISHED = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"


def github_row(name, header, expect, body="Hello, World!", secrets=(GITHUB,), index=None):
    headers = {} if header is None else {"X-Hub-Signature-256": header}
    return case("github: " + name, "github", list(secrets), headers, body, expect, NOW, index)


def github_rows():
    assert mac(GITHUB, "Hello, World!").hexdigest() == GITHUB_PUBLISHED
    form = "payload=%7B%22zen%22%3A%22Keep+it+logically+awesome.%22%7D"
    spaced = '{"action": "completed", "workflow_run": {"id": 1}}'
    return [
        github_row("the published example", "sha256=" + GITHUB_PUBLISHED, "ok", index=0),
        github_row("the second of two secrets", "sha256=" + GITHUB_PUBLISHED, "ok", secrets=("new", GITHUB), index=1),
        github_row("a form, signed as it was sent", "sha256=" + mac(GITHUB, form).hexdigest(), "ok", form, index=0),
        github_row("a body that is not UTF-8", "sha256=" + mac(GITHUB, BINARY).hexdigest(), "ok", BINARY, index=0),
        github_row("no header", None, "no_header"),
        github_row("another secret", "sha256=" + mac("other", "Hello, World!").hexdigest(), "no_match"),
        github_row("another body", "sha256=" + GITHUB_PUBLISHED, "no_match", "Hello, World?"),
        github_row("the body re-serialised on its way", "sha256=" + mac(GITHUB, spaced).hexdigest(), "altered",
                   json.dumps(json.loads(spaced), separators=(",", ":"))),
        github_row("without sha256=", GITHUB_PUBLISHED, "malformed"),
        github_row("the legacy digest", "sha1=" + hmac.new(GITHUB.encode(), b"Hello, World!", hashlib.sha1).hexdigest(),
                   "malformed"),
        github_row("upper-case digits", "sha256=" + GITHUB_PUBLISHED.upper(), "malformed"),
        github_row("one digit too few", "sha256=" + GITHUB_PUBLISHED[:-1], "malformed"),
        github_row("one digit too many", "sha256=" + GITHUB_PUBLISHED + "0", "malformed"),
        github_row("digits that are none", "sha256=" + "g" * 64, "malformed"),
        github_row("an empty header", "", "malformed"),
    ]


# --- Standard Webhooks: v1,<base64> over id.timestamp.body, the key being the base64 behind whsec_

SVIX_SECRET, SVIX_ID, SVIX_TIME = "whsec_plJ3nmyCDGBKInavdOK15jsl", "msg_loFOjxBNrRLzqYUf", 1731705121
SVIX_BODY = '{"event_type":"ping","data":{"success":true}}'
SVIX_PUBLISHED = "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0="
DASH_KEY = b"0123456789abcdef01234567"
DASH = "whsec_" + base64.b64encode(DASH_KEY).decode()
DASH_BODY = '{"type":"agent.stop","timestamp":"2026-11-21T10:00:00Z","data":{"user_id":"u1"}}'


def standard_signature(key, message_id, t, body):
    body = body.encode() if isinstance(body, str) else body
    digest = mac(key, f"{message_id}.{t}.".encode() + body).digest()
    return "v1," + base64.b64encode(digest).decode()


def standard_row(name, expect, body=DASH_BODY, secrets=(DASH,), index=None, now_s=NOW, drop=None, **fields):
    t = fields.get("time", NOW)
    message_id = fields.get("id", "msg_1")
    signature = fields.get("signature", standard_signature(DASH_KEY, message_id, t, fields.get("signed", body)))
    headers = {"webhook-id": message_id, "webhook-timestamp": str(t), "webhook-signature": signature}
    headers = {key: value for key, value in headers.items() if key != drop}
    return case("dashboard: " + name, "dashboard", list(secrets), headers, body, expect, now_s, index)


def standard_rows():
    svix_key = base64.b64decode(SVIX_SECRET[6:])
    assert standard_signature(svix_key, SVIX_ID, SVIX_TIME, SVIX_BODY) == SVIX_PUBLISHED
    good = standard_signature(DASH_KEY, "msg_1", NOW, DASH_BODY)
    other = standard_signature(b"another key altogether..", "msg_1", NOW, DASH_BODY)
    pretty = json.dumps(json.loads(DASH_BODY), indent=4)
    return [
        standard_row("the published example", "ok", SVIX_BODY, (SVIX_SECRET,), 0, SVIX_TIME, id=SVIX_ID, time=SVIX_TIME,
                     signature=SVIX_PUBLISHED),
        standard_row("signed", "ok", index=0),
        standard_row("the second of two secrets", "ok", secrets=(SVIX_SECRET, DASH), index=1),
        standard_row("a secret without its prefix", "ok", secrets=(DASH[6:],), index=0),
        standard_row("several signatures", "ok", signature=f"{other} v1a,bm90IG91cnM= {good}", index=0),
        standard_row("exactly the tolerance ago", "ok", time=NOW - 300, index=0),
        standard_row("exactly the tolerance ahead", "ok", time=NOW + 300, index=0),
        standard_row("a body that is not UTF-8", "ok", BINARY, index=0),
        standard_row("one second beyond the tolerance", "stale", time=NOW - 301),
        standard_row("one second too far ahead", "future", time=NOW + 301),
        standard_row("no id", "no_header", drop="webhook-id"),
        standard_row("no time", "no_header", drop="webhook-timestamp"),
        standard_row("no signature", "no_header", drop="webhook-signature"),
        standard_row("another key", "no_match", signature=other),
        standard_row("the secret taken as text", "no_match",
                     signature=standard_signature(DASH.encode(), "msg_1", NOW, DASH_BODY)),
        standard_row("another id than was signed", "no_match", id="msg_2", signature=good),
        standard_row("another body than was signed", "no_match", signed=DASH_BODY.replace("u1", "u2")),
        standard_row("a secret that is no base64", "no_match", secrets=("whsec_not base64",)),
        standard_row("a signature that is no base64", "no_match", signature="v1,%%%"),
        standard_row("the body re-serialised on its way", "altered", pretty, signed=DASH_BODY),
        standard_row("no version", "malformed", signature=good[3:]),
        standard_row("only a public-key signature", "malformed", signature="v1a,bm90IG91cnM="),
        standard_row("a time that is no number", "malformed", time="soon"),
        standard_row("a dot in the id", "malformed", id="msg.1"),
    ]


# --- JWT: HS256, the secret as raw bytes

JWT = "a-secret-of-at-least-32-bytes-for-hs256"


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token(claims, secret=JWT, header=None, digest=hashlib.sha256):
    header = header or {"alg": "HS256", "typ": "JWT"}
    signed = ".".join(base64url(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims))
    return signed + "." + base64url(hmac.new(secret.encode(), signed.encode(), digest).digest())


def jwt_row(name, authorization, expect, secrets=(JWT,), index=None):
    headers = {} if authorization is None else {"Authorization": authorization}
    return case("jwt: " + name, "jwt", list(secrets), headers, "", expect, NOW, index)


def jwt_rows():
    claims = {"sub": "user-1", "exp": NOW + 600}
    good = token(claims)
    head, body, signature = good.split(".")
    unsigned = base64url(b'{"alg":"none"}') + "." + body + "."
    return [
        jwt_row("signed", "Bearer " + good, "ok", index=0),
        jwt_row("the scheme in any case", "bearer " + good, "ok", index=0),
        jwt_row("the second of two secrets", "Bearer " + good, "ok", ("another-secret-of-at-least-32-bytes", JWT), 1),
        jwt_row("expired within the leeway", "Bearer " + token({**claims, "exp": NOW - 60}), "ok", index=0),
        jwt_row("expired beyond the leeway", "Bearer " + token({**claims, "exp": NOW - 61}), "stale"),
        jwt_row("valid from within the leeway on", "Bearer " + token({**claims, "nbf": NOW + 60}), "ok", index=0),
        jwt_row("not valid yet", "Bearer " + token({**claims, "nbf": NOW + 61}), "future"),
        jwt_row("no header", None, "no_header"),
        jwt_row("another secret", "Bearer " + token(claims, "some-other-secret-of-at-least-32-bytes"), "no_match"),
        jwt_row("expired and forged", "Bearer " + token({**claims, "exp": 1}, "some-other-secret-of-at-least-32-bytes"),
                "no_match"),
        jwt_row("no algorithm", "Bearer " + unsigned, "no_match"),
        jwt_row("another algorithm", "Bearer " + token(claims, header={"alg": "HS512"}, digest=hashlib.sha512),
                "no_match"),
        jwt_row("the claims exchanged", f"Bearer {head}.{base64url(b'{}')}.{signature}", "no_match"),
        jwt_row("no expiry", "Bearer " + token({"sub": "user-1"}), "malformed"),
        jwt_row("an expiry that is text", "Bearer " + token({**claims, "exp": str(NOW + 600)}), "malformed"),
        jwt_row("no token at all", "Bearer nonsense", "malformed"),
        jwt_row("no token behind the scheme", "Bearer", "malformed"),
    ]


# --- envelopes: CloudEvents 1.0, Kafka binding, binary mode

REQUIRED = [["ce_specversion", "1.0"], ["ce_id", "evt_1"], ["ce_source", "/webhooks/stripe"],
            ["ce_type", "stripe.invoice.paid"]]


def without(name):
    return [pair for pair in REQUIRED if pair[0] != name]


def envelope(name, headers, expect="ok", message=None, key="user-1", value="{}", timestamp_ms=1795255201000, **changes):
    row = {"name": name, "headers": headers, "key": key, "value": value, "timestamp_ms": timestamp_ms}
    row["expect"] = "ok" if expect == "ok" else "refused"
    if expect == "ok":
        event = {"id": "evt_1", "source": "/webhooks/stripe", "type": "stripe.invoice.paid", "subject": "",
                 "partition_key": key, "content_type": "application/json", "time": "2026-11-21T10:00:01.000Z"}
        row["event"] = {**event, **changes}
    else:
        row["message"] = message
    return row


def envelope_rows():
    time = ["ce_time", "2026-11-21T10:00:00.123Z"]
    return [
        envelope("the least there can be", REQUIRED),
        envelope("everything", REQUIRED + [time, ["content-type", "application/json; charset=utf-8"],
                                           ["ce_subject", "in_1"], ["ce_partitionkey", "user-1"],
                                           ["traceparent", "00-1-2-01"]],
                 subject="in_1", content_type="application/json; charset=utf-8", time="2026-11-21T10:00:00.123Z"),
        envelope("headers that nobody knows", REQUIRED + [["ce_dataschema", "x"], ["sluice-other", "y"], ["", "z"]]),
        envelope("of a header given twice the last counts", [["ce_id", "evt_0"]] + REQUIRED),
        envelope("time in another zone", REQUIRED + [["ce_time", "2026-11-21T12:00:00+02:00"]],
                 time="2026-11-21T10:00:00.000Z"),
        envelope("no key: the attribute stands in", REQUIRED + [["ce_partitionkey", "cus_1"]], key="",
                 partition_key="cus_1"),
        envelope("the key goes before the attribute", REQUIRED + [["ce_partitionkey", "cus_1"]]),
        envelope("neither key nor attribute", REQUIRED, key="", partition_key=""),
        envelope("an empty body", REQUIRED, value=""),
        envelope("text beyond ASCII", without("ce_id") + [["ce_id", "grüße-世界"]], id="grüße-世界"),
        envelope("an id of 600 bytes", without("ce_id") + [["ce_id", "i" * 600]], id="i" * 600),
        envelope("an empty subject is none", REQUIRED + [["ce_subject", ""]]),
        envelope("no headers", [], "no", "no ce_specversion"),
        envelope("no specversion", without("ce_specversion"), "no", "no ce_specversion"),
        envelope("another specversion", without("ce_specversion") + [["ce_specversion", "0.3"]], "no", "is another"),
        envelope("names in upper case are other names", [[name.upper(), value] for name, value in REQUIRED], "no",
                 "no ce_specversion"),
        envelope("no id", without("ce_id"), "no", "event has no ce_id"),
        envelope("an empty id", without("ce_id") + [["ce_id", ""]], "no", "event has no ce_id"),
        envelope("emptied by a second one", REQUIRED + [["ce_id", ""]], "no", "event has no ce_id"),
        envelope("an id of 601 bytes", without("ce_id") + [["ce_id", "i" * 601]], "no", "longer than 600"),
        envelope("no source", without("ce_source"), "no", "event has no ce_source"),
        envelope("a source of 513 bytes", without("ce_source") + [["ce_source", "s" * 513]], "no", "longer than 512"),
        envelope("no type", without("ce_type"), "no", "event has no ce_type"),
        envelope("a subject of 513 bytes", REQUIRED + [["ce_subject", "s" * 513]], "no", "ce_subject of the event"),
        envelope("a key of 513 bytes", REQUIRED, "no", "ce_partitionkey of the event is longer", key="k" * 513),
        envelope("a time that is none", REQUIRED + [["ce_time", "yesterday"]], "no", "ce_time of the event is no"),
        envelope("a time without a zone", REQUIRED + [["ce_time", "2026-11-21T10:00:00"]], "no", "ce_time of the"),
    ]


FILES = {
    "signatures.json": stripe_rows() + github_rows() + standard_rows() + jwt_rows(),
    "envelopes.json": envelope_rows(),
}


def main():
    stale = []
    for name, rows in FILES.items():
        assert len({row["name"] for row in rows}) == len(rows), "each case has a name of its own"
        text = json.dumps(rows, indent=1, ensure_ascii=False) + "\n"
        path = HERE / name
        if "--check" in sys.argv[1:]:
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                stale.append(name)
        else:
            path.write_text(text, encoding="utf-8")
    if stale:
        sys.exit(f"{', '.join(stale)}: not what generate.py writes; run python3 proto/vectors/generate.py")


main()
