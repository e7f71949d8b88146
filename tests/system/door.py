"""An ingress or a console of a test's own, beside the system's: other limits, raw bytes, and figures of its process."""

import contextlib
import pathlib
import re
import socket
import subprocess
from urllib.parse import urlsplit

import requests
from kit.ingress import Ingress
from kit.system import ROOT, load_env
from kit.wait import until


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Program:
    """One process of ours with the system's environment and some settings over it."""

    def __init__(self, system, name, listen_variable, log_name, **settings):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.env = {**system.env, "SLUICE_INGRESS_URL": self.url, "SLUICE_CONSOLE_URL": self.url}
        environment = {
            "PATH": "/usr/bin:/bin", "HOME": "/nonexistent", **load_env(system.dev_dir / "run" / "programs"),
            "ASAN_OPTIONS": "halt_on_error=1:abort_on_error=1:detect_leaks=1",
            "UBSAN_OPTIONS": "halt_on_error=1:abort_on_error=1:print_stacktrace=1",
            listen_variable: f"127.0.0.1:{self.port}", **{key: str(value) for key, value in settings.items()},
        }
        program = ROOT / "build" / system.env["SLUICE_PRESET"] / "bin" / name
        self.log_path = system.dev_dir / "log" / f"{log_name}.log"
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([program, "--config", ROOT / "deploy" / "sluice.conf"], cwd=ROOT, env=environment,
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def ready(self):
        def probe():
            assert self.process.poll() is None, self.log_path.read_text(encoding="utf-8")[-3000:]
            try:
                return requests.get(self.url + "/readyz", timeout=5).status_code == 200
            except requests.RequestException:
                return False
        until(probe, "the program to be ready", 60)
        return self

    def ingress(self):
        return Ingress(self.env)

    def rss_mb(self):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        raise AssertionError("the process has no memory")

    def stop(self):
        """SIGTERM; a drain that ends well says that nothing was damaged, and LeakSanitizer that nothing was lost."""
        self.process.terminate()
        status = self.process.wait(60)
        assert status == 0, self.log_path.read_text(encoding="utf-8")[-3000:]

    def connect(self, source="127.0.0.1"):
        """A raw connection from an address of the loopback network."""
        host = urlsplit(self.url).hostname
        return socket.create_connection((host, self.port), timeout=30, source_address=(source, 0))


@contextlib.contextmanager
def ingress_of(system, **settings):
    program = Program(system, "sluice-ingress", "SLUICE_INGRESS_LISTEN", "ingress-of-test", **settings)
    try:
        yield program.ready()
    except BaseException:
        program.process.kill()
        program.process.wait()
        raise
    program.stop()


@contextlib.contextmanager
def console_of(system, **settings):
    program = Program(system, "sluice-console", "SLUICE_CONSOLE_LISTEN", "console-of-test", **settings)
    try:
        yield program.ready()
    except BaseException:
        program.process.kill()
        program.process.wait()
        raise
    program.stop()


def read_all(connection):
    """Everything until the other end closes; a reset ends it too."""
    data = b""
    try:
        while chunk := connection.recv(65536):
            data += chunk
    except ConnectionResetError:
        pass
    return data


def refusals(data):
    """The status of everything in it that looks like an answer. (libmicrohttpd 0.9.75 writes the head of some of its own
    refusals twice, and then ends the connection.)"""
    return {int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", data)}


def statuses(data):
    """The status of every answer in a run of HTTP/1.1 bytes, by their Content-Length; of the last one maybe less than whole."""
    found = []
    while data:
        head, separator, rest = data.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        assert lines[0].startswith(b"HTTP/1.1 "), data[:200]
        found.append(int(lines[0].split()[1]))
        length = next((int(line.split(b":")[1]) for line in lines[1:] if line.lower().startswith(b"content-length:")), 0)
        data = rest[length:] if separator else b""
    return found
