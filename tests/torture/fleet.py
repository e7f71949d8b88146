"""The fleet: a system of ./dev whose programs reach broker, database and clouds through proxies of their own.

Everything may be taken down and started again while it runs. A watch starts what ended without our doing, as an init system
would, and remembers it: nothing may end by itself.
"""

import contextlib
import hashlib
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

import psycopg
import requests
from kit.system import ROOT, System, load_env
from kit.wait import until

from .proxy import HOST, Remote

CONFIG = pathlib.Path(__file__).with_name("torture.conf")
CLOUDS = ("hetzner", "tailscale", "github", "stripe", "resend", "provisioner", "graph")
WORKERS_MAX = INGRESSES_MAX = 4
PUBLIC = "public"  # the proxy before all ingresses: a load balancer
WAL_DISK_MIB = 512
WAL_SIZE = "160MB"
READY_S = 60
WATCH_S = 0.5
LOG_LINES = 12
UNSEEN_S = 1.5


def ingress_name(number):
    return "ingress" if number == 1 else f"ingress-{number}"


def free_ports(count):
    """Ports below those of outgoing connections: from there, a client could be given the port of a server that is away."""
    low = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()[0])
    found = []
    while len(found) < count:
        port = random.SystemRandom().randrange(10000, low if low > 16000 else 32768)
        with socket.socket() as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
        if port not in found:
            found.append(port)
    return found


class WalDisk:
    """A small file system for Postgres' WAL, where one can be mounted; it can be filled."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        if not all(parent.stat().st_mode & 0o001 for parent in self.path.parents):
            # as scripts/dev/postgres.sh does for the data: the server's user has no way into our folder
            mark = hashlib.sha256(str(path).encode()).hexdigest()[:12]
            self.path = pathlib.Path(f"/var/tmp/sluice-wal-{os.geteuid()}-{mark}")
        self.why_not = None

    def mount(self):
        self.path.mkdir(parents=True, exist_ok=True)
        owner = "postgres" if os.geteuid() == 0 else str(os.geteuid())
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={WAL_DISK_MIB}m,mode=700", "tmpfs", str(self.path)],
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            self.why_not = f"no file system can be mounted here ({done.stderr.strip()})"
            return
        home = self.path / "wal"  # the mount's root stays root's, and so does what fills it
        home.mkdir()
        self.path.chmod(0o711)
        shutil.chown(home, owner)

    @property
    def wal(self):
        return self.path / "wal"

    def fill(self):
        """Takes all that is left; gives how many MiB that were."""
        written = 0
        with contextlib.suppress(OSError), open(self.path / "ballast", "ab", buffering=0) as file:
            while True:
                written += file.write(b"\0" * 65536)
        return written >> 20

    def free(self):
        (self.path / "ballast").unlink(missing_ok=True)

    def unmount(self):
        if os.path.ismount(self.path):
            subprocess.run(["umount", "--lazy", str(self.path)], check=False)


class Fleet:
    """Methods may be called from any thread; the caller sees to it that nobody else holds the same part."""

    def __init__(self, dev_dir, workers=2, ingresses=2):
        self.workers, self.ingresses = workers, ingresses
        base = pathlib.Path(dev_dir)
        base.mkdir(parents=True, exist_ok=True)
        self.dev_dir = base / "fleet"
        self.wal_disk = WalDisk(base / "wal")
        self.system = System(self.dev_dir, CONFIG, workers, None, ingresses)
        self.system.wipe()
        self.wal_disk.unmount()
        self.wal_disk.mount()
        self.dev_dir.mkdir(parents=True)
        self._ports = self._choose_ports()
        self._table = self._make_table()
        self.proxies = Remote(self._ports["CONTROL"])
        self.ended = []  # (seconds since the start, part, the end of its log): parts that ended by themselves
        self._wanted = set()  # parts that should be running
        self._left = {}  # part: when it was taken down last
        self._guard = threading.Lock()
        self._stopping = threading.Event()
        self._proxy = None
        self._watch = threading.Thread(target=self._keep_watch, daemon=True)
        self._began = time.monotonic()

    # What there is.

    def programs(self):
        """Every program that may ever run, in the order of their names."""
        return ([ingress_name(number) for number in range(1, INGRESSES_MAX + 1)] +
                [f"worker-{number}" for number in range(1, WORKERS_MAX + 1)] + ["console"])

    def base(self):
        """The parts of the system at rest, in the order of starting."""
        return (["postgres", "kafka", "clouds"] + [ingress_name(number) for number in range(1, self.ingresses + 1)] +
                ["console"] + [f"worker-{number}" for number in range(1, self.workers + 1)])

    @staticmethod
    def reaches(program):
        """The servers that a program talks to."""
        if program.startswith("ingress"):
            return ("kafka",)
        return ("kafka", "postgres") if program == "console" else ("kafka", "postgres", *CLOUDS)

    def _choose_ports(self):
        names = ["KAFKA_PORT", "POSTGRES_PORT", *(f"CLOUD_{cloud.upper()}_PORT" for cloud in CLOUDS), "CONTROL", PUBLIC]
        names += [f"{ingress_name(number).upper().replace('-', '_')}_PORT" for number in range(1, INGRESSES_MAX + 1)]
        names += [f"listener {name}" for name in self.programs()]
        names += [f"{name}/{server}" for name in self.programs() for server in self.reaches(name)]
        return dict(zip(names, free_ports(len(names)), strict=True))

    def _make_table(self):
        """What the proxies do, ./dev's ports and detours, and the environment of the system."""
        ports, table = self._ports, []
        (self.dev_dir / "detours").mkdir()
        for name in self.programs():
            lines = []
            for server in self.reaches(name):
                key = f"{server.upper()}_PORT" if server in ("kafka", "postgres") else f"CLOUD_{server.upper()}_PORT"
                upstream = ports[f"listener {name}"] if server == "kafka" else ports[key]
                table.append({"name": f"{name}/{server}", "listen": ports[f"{name}/{server}"], "upstreams": [upstream]})
                lines.append(f"{ports[key]} {ports[f'{name}/{server}']}\n")
            (self.dev_dir / "detours" / name).write_text("".join(lines), encoding="ascii")
        table.append({"name": PUBLIC, "listen": ports[PUBLIC],
                      "upstreams": [self._ingress_port(number) for number in range(1, INGRESSES_MAX + 1)]})
        (self.dev_dir / "ports").write_text(
            "".join(f"{name}={port}\n" for name, port in ports.items() if name.endswith("_PORT")), encoding="ascii")
        return table

    def _ingress_port(self, number):
        return self._ports[f"{ingress_name(number).upper().replace('-', '_')}_PORT"]

    def _variables(self):
        listeners = [f"{name.upper().replace('-', '_')}:{self._ports[f'listener {name}']}:{self._ports[f'{name}/kafka']}"
                     for name in self.programs()]
        variables = {"SLUICE_DEV_KAFKA_LISTENERS": " ".join(listeners), "APP_URL": f"http://{HOST}:{self._ports[PUBLIC]}"}
        if self.wal_disk.why_not is None:
            variables |= {"SLUICE_DEV_WAL_DIR": str(self.wal_disk.wal), "SLUICE_DEV_WAL_SIZE": WAL_SIZE}
        return variables

    # Up and down.

    def up(self):
        path = self.dev_dir / "proxies.json"
        path.write_text(json.dumps(self._table, indent=1), encoding="ascii")
        with open(self.dev_dir / "proxies.log", "wb") as log:
            self._proxy = subprocess.Popen([sys.executable, "-m", "torture.proxy", str(path), str(self._ports["CONTROL"])],
                                           cwd=ROOT / "tests", stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                           start_new_session=True)
        self._register("proxies", self._proxy.pid)
        until(self._proxies_answer, "the proxies to listen")
        self.system.use(self._variables())
        self.system.up()
        self.system.ready()
        self._wanted = set(self.base())
        self._began = time.monotonic()
        self._watch.start()
        return self

    def _register(self, name, pid):
        """Makes it a part of the system, as scripts/dev/process.sh does: ./dev down ends it, whatever becomes of us."""
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        boot = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        run = self.dev_dir / "run"
        run.mkdir(exist_ok=True)
        (run / f"{name}.pid").write_text(f"{pid}\n", encoding="ascii")
        (run / f"{name}.start").write_text(f"{boot} {stat[19]}\n", encoding="ascii")

    def _proxies_answer(self):
        assert self._proxy.poll() is None, (self.dev_dir / "proxies.log").read_text(encoding="utf-8", errors="replace")
        with contextlib.suppress(OSError):
            return self.proxies.order("*", "show")["links"]

    def keep(self):
        """Lets everything run on, unwatched."""
        self._stopping.set()
        self._watch.join()

    def down(self):
        self._stopping.set()
        if self._watch.is_alive():
            self._watch.join()
        self.proxies_heal()
        for name in self.programs():
            with contextlib.suppress(OSError, ValueError):
                self.system.signal(name, signal.SIGCONT)
        self.system.down()
        if self._proxy:
            self._proxy.terminate()
            self._proxy.wait(10)
        self.wal_disk.unmount()

    @property
    def env(self):
        """The environment of tests: past the proxies."""
        return self.system.env

    def admin(self):
        """A session with the database as its superuser."""
        password = load_env(self.dev_dir / "secrets")["POSTGRES_ADMIN_PASSWORD"]
        return psycopg.connect(f"postgresql://postgres:{password}@{HOST}:{self._ports['POSTGRES_PORT']}/sluice",
                               autocommit=True, connect_timeout=3, application_name="torture")

    def urls(self):
        """Where the ingresses are: what a load balancer knows, who needs a moment to see that one has gone."""
        seen = time.monotonic() - UNSEEN_S
        numbers = [number for number in range(1, INGRESSES_MAX + 1)
                   if ingress_name(number) in self._wanted or self._left.get(ingress_name(number), seen) > seen]
        return [f"http://{HOST}:{self._ingress_port(number)}" for number in numbers or range(1, self.ingresses + 1)]

    # Parts.

    def is_wanted(self, name):
        return name in self._wanted

    def is_alive(self, name):
        try:
            stat = pathlib.Path(f"/proc/{self.system.pid(name)}/stat").read_text(encoding="ascii", errors="replace")
        except (OSError, ValueError, IndexError):
            return False
        return stat.rpartition(")")[2].split()[0] not in "ZX"

    def release(self, name):
        """Whoever has called this answers for the part: the watch lets it be until it is started again."""
        with self._guard:
            self._wanted.discard(name)
            self._left[name] = time.monotonic()

    def kill(self, name):
        self.release(name)
        if name == "postgres":
            self.system.dev("kill", name)  # its children have groups of their own
        else:
            self.signal(name, signal.SIGKILL)

    def stop(self, name):
        """SIGTERM (Postgres: SIGINT), and waits for its end as an init system does: in the end with SIGKILL."""
        self.release(name)
        self.signal(name, signal.SIGINT if name == "postgres" else signal.SIGTERM)
        try:
            until(lambda: not self.is_alive(name), f"{name} to end", 45)
        except AssertionError:
            self.note_end(name, "did not end within 45 s of SIGTERM")
            self.kill(name)

    def signal(self, name, number):
        with contextlib.suppress(ProcessLookupError, FileNotFoundError, ValueError, IndexError):
            self.system.signal(name, number)

    def start(self, name):
        """Starts it without waiting until it is ready: what it needs may be away."""
        if not self.is_alive(name):
            self.system.dev("start", "--no-wait", name)
        with self._guard:
            self._wanted.add(name)

    def ready(self, name, timeout_s=READY_S):
        until(lambda: self.is_ready(name), f"{name} to be ready", timeout_s)

    def is_ready(self, name):
        if not self.is_alive(name):
            return False
        if name == "clouds":
            return True
        if name == "postgres":
            with contextlib.suppress(psycopg.OperationalError):
                self.admin().close()
                return True
            return False
        if name == "kafka":
            return subprocess.run(["/usr/bin/python3", ROOT / "scripts" / "dev" / "kafka_ready.py",
                                   str(self._ports["KAFKA_PORT"])], check=False).returncode == 0
        key = f"{name.upper().replace('-', '_')}_PORT"
        port = self._ports.get(key) or self._port_of(key)
        with contextlib.suppress(requests.RequestException):
            return requests.get(f"http://{HOST}:{port}/readyz", timeout=3).status_code == 200

    def _port_of(self, key):
        for line in (self.dev_dir / "ports").read_text(encoding="ascii").splitlines():
            name, _, value = line.partition("=")
            if name == key:
                return int(value)
        return 0

    def note_end(self, name, why):
        try:
            lines = self.system.log(name).splitlines()[-LOG_LINES:]
        except OSError:
            lines = []
        self.ended.append((round(time.monotonic() - self._began, 1), name, why, lines))

    def _keep_watch(self):
        """Starts again what has ended by itself."""
        while not self._stopping.wait(WATCH_S):
            with self._guard:
                wanted = sorted(self._wanted)
            for name in wanted:
                if not self.is_alive(name) and name in self._wanted:
                    self.note_end(name, "ended by itself")
                    with contextlib.suppress(AssertionError):
                        self.system.dev("start", "--no-wait", name)

    # Ways.

    def proxies_heal(self):
        with contextlib.suppress(OSError, RuntimeError):
            self.proxies.order("*", "heal")

    def heal(self):
        """Everything runs, in the numbers of rest, and every way is open. Raises AssertionError where something stays away."""
        self.proxies_heal()
        self.wal_disk.free()
        for name in self.programs():
            self.signal(name, signal.SIGCONT)
        self.system.clouds().clear_faults()
        for name in self.base():
            if not self.is_wanted(name):
                self.start(name)
        for name in self.programs():
            if name not in self.base() and self.is_alive(name):
                self.stop(name)
        for name in self.base():
            self.ready(name)
