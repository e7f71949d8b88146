"""A body as it was sent and as it stands in the log: the same bytes, but for commands whose token ingress seals."""

import hashlib
import json

SEALED = ("command.connection.share", "command.invite.accept")


def sha256_of(kind, body):
    """Of the bytes; where the token is sealed, of all the rest, written in one way."""
    if kind not in SEALED:
        return hashlib.sha256(body).hexdigest()
    document = json.loads(body)
    for name in ("token", "token_sealed"):
        document["data"].pop(name, None)
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def shows_token(kind, body):
    """Whether the token that should be sealed can be read."""
    return kind in SEALED and "token" in json.loads(body)["data"]
