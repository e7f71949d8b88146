"""Writes jwt_vectors.h: tokens good and bad, signed independently of the C code. Run by hand, with python3-cryptography:

    python3 make_jwt_vectors.py > jwt_vectors.h
"""
import base64
import hashlib
import hmac
import json

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

NOW = 1763712000
SECRET = b"a-secret-of-the-dashboard"
OLD_SECRET = b"the-secret-before"


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def part(value):
    return b64(json.dumps(value, separators=(",", ":")).encode())


def number(value, size=None):
    return b64(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


def hs256(key):
    return lambda data: hmac.new(key, data, hashlib.sha256).digest()


def rs256(key):
    return lambda data: key.sign(data, padding.PKCS1v15(), hashes.SHA256())


def es256(key):
    def sign(data):
        r, s = utils.decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    return sign


def token(header, claims, sign):
    text = part(header) + "." + part(claims)
    return text + "." + b64(sign(text.encode()))


def claims(**changes):
    values = {"sub": "user-1", "exp": NOW + 600, "email": "user@example.com", "role": "admin",
              "iss": "https://issuer.example", "aud": ["other", "sluice"]}
    values.update(changes)
    return {name: value for name, value in values.items() if value is not None}


def main():
    rsa_key = rsa.generate_private_key(65537, 2048)
    small_key = rsa.generate_private_key(65537, 1024)
    other_key = rsa.generate_private_key(65537, 2048)
    ec_key = ec.generate_private_key(ec.SECP256R1())
    public = rsa_key.public_key().public_numbers()
    small = small_key.public_key().public_numbers()
    point = ec_key.public_key().public_numbers()
    pem = rsa_key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    jwks = {"keys": [
        {"kty": "oct", "k": "AAAA", "kid": "passed-over"},
        {"kty": "RSA", "kid": "small", "n": number(small.n), "e": number(small.e)},
        {"kty": "RSA", "kid": "rsa-1", "use": "sig", "alg": "RS256", "n": number(public.n), "e": number(public.e)},
        {"kty": "RSA", "kid": "rsa-enc", "use": "enc", "n": number(public.n), "e": number(public.e)},
        {"kty": "EC", "kid": "ec-1", "crv": "P-256", "x": number(point.x, 32), "y": number(point.y, 32)},
    ]}
    hs, rs, es = {"alg": "HS256", "typ": "JWT"}, {"alg": "RS256", "kid": "rsa-1"}, {"alg": "ES256", "kid": "ec-1"}
    good = hs256(SECRET)
    rows = [
        ("hs256", token(hs, claims(), good), "OK", 0),
        ("hs256 by the old secret", token(hs, claims(), hs256(OLD_SECRET)), "OK", 1),
        ("hs256 by nobody's secret", token(hs, claims(), hs256(b"guess")), "NO_MATCH", 0),
        ("hs256 by the empty secret", token(hs, claims(), hs256(b"")), "NO_MATCH", 0),
        ("rs256", token(rs, claims(), rs256(rsa_key)), "OK", 2),
        ("rs256 without kid", token({"alg": "RS256"}, claims(), rs256(rsa_key)), "OK", 2),
        ("rs256 by another key", token(rs, claims(), rs256(other_key)), "NO_MATCH", 0),
        ("rs256 by a key that is too small", token({"alg": "RS256", "kid": "small"}, claims(), rs256(small_key)),
         "NO_MATCH", 0),
        ("rs256 with the kid of another kind", token({"alg": "RS256", "kid": "ec-1"}, claims(), rs256(rsa_key)),
         "NO_MATCH", 0),
        ("es256", token(es, claims(), es256(ec_key)), "OK", 3),
        ("hs256 with the public key as secret", token(hs, claims(), hs256(pem)), "NO_MATCH", 0),
        ("hs256 signed, rs256 said", token(rs, claims(), good), "NO_MATCH", 0),
        ("none", part({"alg": "none"}) + "." + part(claims()) + ".", "NO_MATCH", 0),
        ("NONE with a signature", token({"alg": "NONE"}, claims(), good), "NO_MATCH", 0),
        ("hs512 said", token({"alg": "HS512"}, claims(), good), "NO_MATCH", 0),
        ("no alg", token({"typ": "JWT"}, claims(), good), "MALFORMED", 0),
        ("crit", token({"alg": "HS256", "crit": ["exp"]}, claims(), good), "MALFORMED", 0),
        ("expired", token(hs, claims(exp=NOW - 61), good), "STALE", 0),
        ("within the leeway", token(hs, claims(exp=NOW - 60), good), "OK", 0),
        ("expired and forged", token(hs, claims(exp=NOW - 61), hs256(b"guess")), "NO_MATCH", 0),
        ("no exp", token(hs, claims(exp=None), good), "MALFORMED", 0),
        ("exp is a text", token(hs, claims(exp="tomorrow"), good), "MALFORMED", 0),
        ("exp is huge", token(hs, claims(exp=1e300), good), "MALFORMED", 0),
        ("exp with a fraction", token(hs, claims(exp=NOW + 0.5), good), "OK", 0),
        ("not yet valid", token(hs, claims(nbf=NOW + 61), good), "FUTURE", 0),
        ("nearly valid", token(hs, claims(nbf=NOW + 60), good), "OK", 0),
        ("no sub", token(hs, claims(sub=None), good), "CLAIMS", 0),
        ("empty sub", token(hs, claims(sub=""), good), "CLAIMS", 0),
        ("sub of 255 bytes", token(hs, claims(sub="s" * 255), good), "OK", 0),
        ("sub of 256 bytes", token(hs, claims(sub="s" * 256), good), "CLAIMS", 0),
        ("sub with a line break", token(hs, claims(sub="a\nb"), good), "CLAIMS", 0),
        ("sub is a number", token(hs, claims(sub=7), good), "CLAIMS", 0),
        ("another issuer", token(hs, claims(iss="https://other.example"), good), "CLAIMS", 0),
        ("another audience", token(hs, claims(aud="else"), good), "CLAIMS", 0),
        ("one audience", token(hs, claims(aud="sluice"), good), "OK", 0),
        ("claims are no object", part(hs) + "." + part([1]) + "." + b64(good((part(hs) + "." + part([1])).encode())),
         None, 0),
        ("cut short", token(hs, claims(), good)[:-10], None, 0),
        ("two parts", ".".join(token(hs, claims(), good).split(".")[:2]), None, 0),
        ("nonsense", "nonsense", None, 0),
        ("only dots", "..", None, 0),
    ]
    print("/* jwt_vectors.h - made by make_jwt_vectors.py. */")
    print("/* clang-format off */\n#include <stddef.h>\n#include <stdint.h>\n\n#include \"web/verify_jwt.h\"\n")
    print(f"#define JWT_NOW_S INT64_C({NOW})")
    print(f'#define JWT_SECRETS "{SECRET.decode()},{OLD_SECRET.decode()}"')
    print("static const char JWKS[] =")
    text = json.dumps(jwks).replace('"', '\\"')
    while text:
        cut = 100 if text[99:100] != "\\" else 99
        print(f'    "{text[:cut]}"')
        text = text[cut:]
    print("    ;\n")
    print("static const struct {\n    const char *name, *token;\n    int cause; /* -1: any but VERIFY_OK */")
    print("    size_t secret_index;\n} TOKENS[] = {")
    for name, text, cause, index in rows:
        print(f'    {{ "{name}",')
        for start in range(0, len(text), 100):
            print(f'      "{text[start:start + 100]}"')
        print(f"      , {'VERIFY_' + cause if cause else -1}, {index} }},")
    print("};")


main()
