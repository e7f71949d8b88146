"""The load generator (load.c) as a function."""

import json
import os
import subprocess
import uuid
from urllib.parse import urlsplit

from kit.system import ROOT

TIMEOUT_S = 300


def send(system, **options):
    """Sends signed Stripe events; gives its figures. Events have ids of their own each time."""
    program = ROOT / "build" / system.env["SLUICE_PRESET"] / "bin" / "sluice-load"
    port = urlsplit(system.env["SLUICE_INGRESS_URL"]).port
    options.setdefault("mark", uuid.uuid4().hex[:8])
    arguments = [str(part) for name, value in options.items() for part in (f"--{name}", value)]
    done = subprocess.run([program, "--port", str(port), *arguments], text=True, capture_output=True, check=False,
                          timeout=TIMEOUT_S, env={**os.environ, **system.env})
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)
