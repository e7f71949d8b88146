"""A Postgres cluster, an engine's process, and the little of the rules that the engine's tests need."""

import glob
import json
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import threading
import uuid

import psycopg
import requests
from kit.clouds import Clouds
from kit.wait import until

SETTINGS = """
[log]
level = debug
[kafka]
brokers = 127.0.0.1:1
[policy]
stop_grace = 500ms
provision_timeout = 60s
[region us-east]
locations = ash,hil
[worker]
lease = 3s
poll_interval = 50ms
jobs_in_flight = 200
[cloud *]
poll = 20ms
backoff_base = 20ms
backoff_cap = 200ms
timeout = 1s
breaker_open = 300ms
[cloud github]
look_window = 1500ms
run_stop_max = 3s
owner = sluice-sim
repo = agents
app_url = http://127.0.0.1:1
[cloud resend]
from = Sluice <sluice@sluice.test>
"""


def host(root):
    """The engine's program: that of ctest, or of the build that ./dev test uses."""
    built = root / "build" / os.environ.get("SLUICE_PRESET", "asan") / "bin" / "execute-host"
    return os.environ.get("EXECUTE_HOST", str(built))


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def clouds_of(path, process):
    until(lambda: path.exists() or process.poll() is not None, "the clouds to listen")
    lines = path.read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


class Postgres:
    """A cluster in a folder, run by an unprivileged user where we are root."""

    def __init__(self, folder):
        self.home = pathlib.Path("/var/tmp") / f"sluice-io-{uuid.uuid4().hex[:8]}" if os.geteuid() == 0 else folder
        self.bin = max(glob.glob("/usr/lib/postgresql/*/bin"))
        self.port = free_port()
        self.as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--"] \
            if os.geteuid() == 0 else []
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def _run(self, *command):
        subprocess.run([*self.as_user, *command], check=True, cwd="/", stdout=subprocess.DEVNULL)

    def make(self):
        self.home.mkdir(mode=0o700, exist_ok=True)
        if self.as_user:
            owner = pwd.getpwnam("postgres")
            os.chown(self.home, owner.pw_uid, owner.pw_gid)
        self._run(f"{self.bin}/initdb", "-D", f"{self.home}/data", "-U", "postgres", "-A", "trust", "-E", "UTF8",
                  "--locale=C.UTF-8")

    def start(self):
        self._run(f"{self.bin}/pg_ctl", "-D", f"{self.home}/data", "-w", "-l", f"{self.home}/log", "-o",
                  f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off", "start")

    def stop(self, mode="fast"):
        self._run(f"{self.bin}/pg_ctl", "-D", f"{self.home}/data", "-w", "-m", mode, "stop")
        if mode == "immediate":
            shutil.rmtree(self.home, ignore_errors=True)


class LostCommit:
    """A way to Postgres that is cut, once, when the COMMIT of a transaction that wrote `text` is answered: it holds,
    and whoever sent it can't know."""

    def __init__(self, postgres, text):
        self.cut = threading.Event()
        self._postgres, self._text, self._seen = postgres, text.encode(), False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"postgresql://postgres@127.0.0.1:{self._listener.getsockname()[1]}/postgres"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self):
        while True:
            try:
                client, _address = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._postgres.port))
            for source, target, look in ((client, server, self._sent), (server, client, self._answered)):
                threading.Thread(target=self._pass_on, args=(source, target, look), daemon=True).start()

    def _pass_on(self, source, target, look):
        try:
            while chunk := source.recv(1 << 20):
                if not look(chunk):
                    break
                target.sendall(chunk)
        except OSError:
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _sent(self, chunk):
        self._seen = self._seen or self._text in chunk
        return True

    def _answered(self, chunk):
        if not self._seen or self.cut.is_set() or b"COMMIT\0" not in chunk:
            return True
        self.cut.set()
        return False


class Engine:
    """An engine's process. `without` are variables that it shall miss, `with_` ones that it gets beside."""

    def __init__(self, root, folder, world, name, without=(), with_=None, drain_ms=3000, settings=SETTINGS):
        overlay = folder / f"{name}.conf"
        overlay.write_text(settings)
        environment = {**os.environ, **world.environment, "DATABASE_URL": world.postgres.url, **(with_ or {})}
        for variable in (*without, "SLUICE_CONFIG", "GITHUB_REPO_OWNER", "GITHUB_REPO_NAME", "APP_URL",
                         "KAFKA_BROKERS", "HCLOUD_TOKEN_FILE"):
            environment.pop(variable, None)
        self.log = folder / f"{name}.log"
        with open(self.log, "a", encoding="utf-8") as log:
            self.process = subprocess.Popen([host(root), str(overlay), name, str(drain_ms)], cwd=root,
                                            env=environment, stderr=log, stdout=log)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(20)

    def wake(self):
        self.process.send_signal(signal.SIGUSR1)

    def reload(self):
        self.process.send_signal(signal.SIGHUP)

    def stop(self):
        self.process.terminate()
        return self.process.wait(40)

    def end(self):
        """Whether it was still well: an engine that has ended by itself, or by a sanitizer's finding, was not."""
        well = self.process.poll() in (None, 0, -signal.SIGKILL)
        self.process.kill()
        self.process.wait(20)
        return well


class World:
    def __init__(self, postgres, environment, root):
        self.postgres = postgres
        self.environment = environment
        self.root = root
        self.clouds = Clouds(environment)
        self.hetzner = requests.Session()
        self.hetzner.headers["Authorization"] = "Bearer " + environment["HCLOUD_TOKEN"]

    # The database, and what apply and the sweep would do in it.

    def reset(self):
        self.clouds._call("POST", "/reset", {})
        self.clouds.configure(hetzner={"action_ms": 30, "acpi_ms": 60, "rate_limit": 0}, github={"webhooks": False},
                              runner={"queue_ms": 3_600_000})
        migrations = sorted((self.root / "worker" / "migrations").glob("*.sql"))
        with self.connect() as database:
            database.execute("DROP SCHEMA IF EXISTS sluice CASCADE")
            database.execute("CREATE SCHEMA sluice")
            for migration in migrations:
                database.execute(migration.read_text())

    def connect(self):
        return psycopg.connect(self.postgres.url, autocommit=True)

    def rows(self, query, *arguments):
        with self.connect() as database:
            cursor = database.execute(query, arguments)
            if cursor.description is None:
                return []
            names = [column.name for column in cursor.description]
            return [dict(zip(names, row)) for row in cursor.fetchall()]

    def job(self, job_id):
        row, = self.rows("SELECT * FROM sluice.jobs WHERE id = %s", job_id)
        return row

    def events(self, job_id=None):
        """The job.* events in the outbox, oldest first: their types and data."""
        found = []
        for row in self.rows("SELECT headers, value FROM sluice.outbox ORDER BY id"):
            headers = dict(row["headers"])
            if job_id in (None, headers["ce_subject"]):
                found.append({"type": headers["ce_type"], "id": headers["ce_id"], **json.loads(bytes(row["value"]))})
        return found

    def decide(self):
        """What the rules make of the events: jobs end."""
        self.rows("""
            UPDATE sluice.jobs j SET status = e.status, ended_at = now(), fence = j.fence + 1
            FROM (SELECT (convert_from(value, 'UTF8')::jsonb->>'job_id')::uuid AS id,
                         (convert_from(value, 'UTF8')::jsonb->>'fence')::bigint AS fence,
                         substr(h.pair->>1, 5) AS status
                  FROM sluice.outbox, jsonb_array_elements(headers) AS h (pair) WHERE h.pair->>0 = 'ce_type') e
            WHERE j.id = e.id AND j.fence = e.fence AND j.settled AND j.status = 'running'
              AND e.status <> 'dispatched'""")

    def sweep(self):
        """What the sweep does about leases that ran out."""
        return self.rows("""
            UPDATE sluice.jobs SET status = 'queued', fence = fence + 1, worker = NULL, lease_until = NULL
            WHERE status = 'running' AND NOT settled AND lease_until < now() RETURNING id""")

    # What is there to work on.

    def agent(self, user=None, server=None, device=None):
        agent_id, user = str(uuid.uuid4()), user or f"user-{uuid.uuid4().hex[:8]}"
        self.rows("INSERT INTO sluice.users (id) VALUES (%s) ON CONFLICT DO NOTHING", user)
        self.rows("""
            INSERT INTO sluice.agents (id, user_id, name, backend, region, status, server_id, tailscale_device_id)
            VALUES (%s, %s, 'a', 'github-actions', 'us-east', 'active', %s, %s)""", agent_id, user, server, device)
        return agent_id, user

    def live_agent(self):
        """An agent with a running server and a device, both labelled and named as the workflow does."""
        agent_id, user = self.agent()
        server = self.server(agent_id)
        device = self.clouds._call("POST", "/tailscale/devices", {"hostname": f"agent-{agent_id}"})
        self.rows("UPDATE sluice.agents SET server_id = %s, tailscale_device_id = %s WHERE id = %s", str(server),
                  device.get("nodeId") or device["id"], agent_id)
        return agent_id, user

    def server(self, agent_id, labels=None):
        answer = self.hetzner.post(self.environment["HCLOUD_ENDPOINT"] + "/servers", json={
            "name": f"agent-{agent_id}", "server_type": "cpx11", "image": "ubuntu-24.04",
            "labels": {"sluice-agent": agent_id} if labels is None else labels}, timeout=20)
        assert answer.status_code == 201, answer.text
        server_id = answer.json()["server"]["id"]
        until(lambda: self.status_of(server_id) == "running", "the server to run")
        return server_id

    def status_of(self, server_id):
        answer = self.hetzner.get(f"{self.environment['HCLOUD_ENDPOINT']}/servers/{server_id}", timeout=20)
        return answer.json()["server"]["status"] if answer.status_code == 200 else None

    def status(self, agent_id):
        row, = self.rows("SELECT server_id FROM sluice.agents WHERE id = %s", agent_id)
        return self.status_of(row["server_id"])

    def user(self):
        """A user without an agent, as plan() takes it."""
        user = f"user-{uuid.uuid4().hex[:8]}"
        self.rows("INSERT INTO sluice.users (id) VALUES (%s)", user)
        return None, user

    def plan(self, agent, kind, args=None, backend=""):
        job_id, (agent_id, user) = str(uuid.uuid4()), agent
        backend = backend or ("github-actions" if kind == "provision" else "")
        self.rows("""INSERT INTO sluice.jobs (id, user_id, agent_id, kind, backend, status, priority, args)
            VALUES (%s, %s, %s, %s, %s, 'queued', %s, %s)""", job_id, user, agent_id, kind, backend,
                  1 if kind in ("provision", "start") else 0, json.dumps(args or {}))
        return job_id

    def strike(self, cloud, faults):
        """Plants faults; struck() tells how many calls they have hit."""
        for fault in faults:
            self.clouds._call("POST", "/faults", {"cloud": cloud, **fault})

    def struck(self, cloud):
        return sum(1 for call in self.clouds.calls(cloud) if call["fault"])

    def live(self, cloud, kind):
        return [item for item in self.clouds.ledger()[cloud][kind] if item["live"]]

    def ended(self, *job_ids, how="job.succeeded", timeout_s=30):
        def all_ended():
            self.decide()
            types = {event["job_id"]: event["type"] for event in self.events()}
            return all(types.get(job_id) == how for job_id in job_ids)
        until(all_ended, f"{len(job_ids)} jobs to end with {how}", timeout_s)
        self.decide()  # the last one's event may have come between the deciding and the look
