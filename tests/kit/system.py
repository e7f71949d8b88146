"""One system of ./dev: started, its parts stopped, killed and started again, its environment."""

import os
import pathlib
import shlex
import shutil
import signal
import subprocess

import requests

from .books import Books
from .clouds import Clouds
from .console import Console
from .ingress import Ingress
from .wait import until

ROOT = pathlib.Path(__file__).resolve().parents[2]
UP_TIMEOUT_S = 900


def load_env(path):
    """The assignments of a shell file, `export` or not."""
    values = {}
    for line in pathlib.Path(path).read_text(encoding="utf-8").splitlines():
        words = shlex.split(line, comments=True)
        for word in words[1:] if words[:1] == ["export"] else words[:1]:
            name, equals, value = word.partition("=")
            if equals:
                values[name] = value
    return values


class System:
    """`dev_dir` holds its data; `config` is an INI file laid over the default one, or None; `variables` go before it."""

    def __init__(self, dev_dir, config=None, workers=2, variables=None, ingresses=1):
        self.dev_dir = pathlib.Path(dev_dir)
        self.workers = workers
        self.ingresses = ingresses
        self.config = config and pathlib.Path(config)
        self._environment = {**os.environ, **(variables or {}), "SLUICE_DEV_DIR": str(self.dev_dir)}
        if config:
            self._environment["SLUICE_CONFIG"] = str(config)
        self.env = {}

    def use(self, variables):
        """More of the environment for ./dev from now on."""
        self._environment.update(variables)

    def set_variable(self, name, value):
        """For the parts that are started from now on; None: unset."""
        self._environment.pop(name, None)
        if value is not None:
            self._environment[name] = value

    def dev(self, *arguments, check=True):
        """Runs ./dev with the system's environment; gives the completed process."""
        done = subprocess.run([str(ROOT / "dev"), *arguments], env=self._environment, cwd=ROOT, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=UP_TIMEOUT_S, check=False)
        assert not check or done.returncode == 0, f"./dev {' '.join(arguments)} gave {done.returncode}:\n{done.stdout}"
        return done

    def wipe(self):
        """Stops it and removes all it has kept; Postgres' data may stand elsewhere, behind a link."""
        if not self.dev_dir.exists():
            return
        self.down()
        shutil.rmtree((self.dev_dir / "postgres").resolve(), ignore_errors=True)
        shutil.rmtree(self.dev_dir)

    def up(self):
        self.dev("up", "--workers", str(self.workers), "--ingresses", str(self.ingresses))
        self.env = load_env(self.dev_dir / "env")
        return self

    def down(self):
        self.dev("down")

    def ctl(self, *arguments):
        return self.dev("ctl", *arguments, check=False)

    def pid(self, name):
        return int((self.dev_dir / "run" / f"{name}.pid").read_text(encoding="ascii").split()[0])

    def signal(self, name, number):
        os.kill(self.pid(name), number)

    def kill(self, name):
        """SIGKILL at once, without the script's way to it."""
        self.signal(name, signal.SIGKILL)
        self.dev("kill", name)

    def start(self, name):
        self.dev("start", name)

    def log(self, name):
        return (self.dev_dir / "log" / f"{name}.log").read_text(encoding="utf-8", errors="replace")

    def ready(self):
        """Waits until ingress takes traffic."""
        def probe():
            try:
                return requests.get(self.env["SLUICE_INGRESS_URL"] + "/readyz", timeout=5).status_code == 200
            except requests.RequestException:
                return False
        until(probe, "ingress to be ready", 60)

    def ingress(self):
        return Ingress(self.env)

    def console(self):
        return Console(self.env)

    def books(self):
        return Books(self.env)

    def clouds(self):
        return Clouds(self.env)
