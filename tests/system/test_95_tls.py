"""A server that can't prove who it is gets nothing: Kafka and Postgres behind wrong certificates. (The clouds: http_tls_test.c.)"""

import concurrent.futures
import socket
import ssl
import subprocess
import threading

import pytest
from kit.system import ROOT

NAMES = "subjectAltName=DNS:localhost,IP:127.0.0.1"
WAYS = {  # what is wrong: (certificate, trusted authority)
    "nothing": ("good", "ours"),
    "another authority": ("foreign", "ours"),
    "another name": ("elsewhere", "ours"),
    "its time is over": ("expired", "ours"),
}


def openssl(folder, *arguments):
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


def authority(folder, name):
    openssl(folder, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{name}.key",
            "-out", f"{name}.pem", "-days", "2", "-subj", f"/CN={name}", "-addext", "basicConstraints=critical,CA:TRUE")


def certificate(folder, name, issuer, names, *dates):
    (folder / f"{name}.ext").write_text(names + "\n", encoding="ascii")
    openssl(folder, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{name}.key",
            "-out", f"{name}.csr", "-subj", "/CN=localhost")
    if dates:  # `x509` sets none in the past; `ca` does
        (folder / "index").write_text("", encoding="ascii")
        (folder / "ca.cnf").write_text("[ca]\ndefault_ca=it\n[it]\ndatabase=index\nnew_certs_dir=.\nrand_serial=yes\n"
                                       "default_md=sha256\npolicy=any\n[any]\ncommonName=supplied\n", encoding="ascii")
        openssl(folder, "ca", "-batch", "-notext", "-config", "ca.cnf", "-cert", f"{issuer}.pem", "-keyfile", f"{issuer}.key",
                "-in", f"{name}.csr", "-out", f"{name}.pem", "-extfile", f"{name}.ext", "-startdate", dates[0], "-enddate", dates[1])
        return
    openssl(folder, "x509", "-req", "-in", f"{name}.csr", "-CA", f"{issuer}.pem", "-CAkey", f"{issuer}.key", "-CAcreateserial",
            "-days", "2", "-out", f"{name}.pem", "-extfile", f"{name}.ext")


@pytest.fixture(scope="module")
def identities(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    authority(folder, "ours")
    authority(folder, "theirs")
    certificate(folder, "good", "ours", NAMES)
    certificate(folder, "foreign", "theirs", NAMES)
    certificate(folder, "elsewhere", "ours", "subjectAltName=DNS:kafka.example.org")
    certificate(folder, "expired", "ours", NAMES, "20200101000000Z", "20200102000000Z")
    return folder


class Impostor:
    """Speaks TLS with a certificate, and keeps what it is told inside; a Postgres says first that it wants TLS."""

    def __init__(self, identities, name, is_postgres):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(identities / f"{name}.pem", identities / f"{name}.key")
        self.is_postgres = is_postgres
        self.told = b""
        self.plain = b""
        self.connections = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            connection.settimeout(20)
            try:
                if self.is_postgres:
                    self.plain += connection.recv(8)  # SSLRequest
                    connection.sendall(b"S")
                with self.context.wrap_socket(connection, server_side=True) as inside:
                    self.told += inside.recv(4096)
            except OSError:
                pass  # the client has gone: as it should
            finally:
                connection.close()

    def close(self):
        self.listener.close()


def sluicectl(world, *arguments, **variables):
    program = ROOT / "build" / world.system.env["SLUICE_PRESET"] / "bin" / "sluicectl"
    environment = {"PATH": "/usr/bin:/bin", "DATABASE_URL": world.system.env["DATABASE_URL"],
                   "KAFKA_BROKERS": world.system.env["KAFKA_BROKERS"], **variables}
    return subprocess.run([program, *arguments], env=environment, cwd=ROOT, text=True, capture_output=True, timeout=120, check=False)


@pytest.mark.parametrize("way", WAYS)
def test_postgres(world, identities, way):
    name, trusted = WAYS[way]
    impostor = Impostor(identities, name, is_postgres=True)
    url = (f"postgresql://somebody:sesame@127.0.0.1:{impostor.port}/sluice?sslmode=verify-full"
           f"&sslrootcert={identities / trusted}.pem&gssencmode=disable")
    done = sluicectl(world, "users", "show", "nobody", DATABASE_URL=url)
    impostor.close()
    assert done.returncode == 69, done.stderr
    assert impostor.connections > 0 and impostor.plain.startswith(b"\x00\x00\x00\x08\x04\xd2\x16\x2f")
    assert (b"somebody" in impostor.told) == (way == "nothing")
    if way != "nothing":
        assert impostor.told == b"" and "certificate" in done.stderr
    assert "sesame" not in done.stderr + done.stdout


def ask_kafka(world, identities, way):
    name, trusted = WAYS[way]
    impostor = Impostor(identities, name, is_postgres=False)
    done = sluicectl(world, "topics", "check", KAFKA_BROKERS=f"127.0.0.1:{impostor.port}", KAFKA_SECURITY_PROTOCOL="sasl_ssl",
                     KAFKA_SASL_MECHANISM="PLAIN", KAFKA_SASL_USERNAME="somebody", KAFKA_SASL_PASSWORD="sesame",
                     KAFKA_SSL_CA=str(identities / f"{trusted}.pem"))
    impostor.close()
    return impostor, done


def test_kafka(world, identities):
    """All at once: each waits until it gives up."""
    with concurrent.futures.ThreadPoolExecutor(len(WAYS)) as pool:
        ends = dict(zip(WAYS, pool.map(lambda way: ask_kafka(world, identities, way), WAYS)))
    for way, (impostor, done) in ends.items():
        assert done.returncode == 69, f"{way}: {done.stdout}{done.stderr}"
        assert impostor.connections > 0, way
        assert (impostor.told != b"") == (way == "nothing"), f"{way}: {impostor.told}"
        assert "sesame" not in done.stderr + done.stdout
