"""What the tests of the engine stand on: a Postgres of their own, the simulated clouds, engines as processes."""

import os
import pathlib
import subprocess
import sys

import pytest
from io_execute_parts import Engine, Postgres, World, clouds_of

ROOT = pathlib.Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def postgres(tmp_path_factory):
    server = Postgres(tmp_path_factory.mktemp("postgres"))
    server.make()
    server.start()
    yield server
    server.stop("immediate")


@pytest.fixture(scope="session")
def cloud_environment(tmp_path_factory):
    path = tmp_path_factory.mktemp("clouds") / "env"
    process = subprocess.Popen([sys.executable, "-m", "clouds", "--env-file", str(path), "--github-repo",
                                "sluice-sim/agents", "--tailscale-oauth-client-id", "sim-client",
                                "--tailscale-oauth-client-secret", "tskey-client-sim"], cwd=ROOT / "tests",
                               env={**os.environ, "PYTHONPATH": str(ROOT / "tests")})
    yield clouds_of(path, process)
    process.terminate()
    assert process.wait(20) == 0


@pytest.fixture
def world(postgres, cloud_environment, tmp_path):
    world = World(postgres, cloud_environment, ROOT)
    world.reset()
    engines = []

    def engine(name="worker-a", **more):
        started = Engine(ROOT, tmp_path, world, name, **more)
        engines.append(started)
        return started

    world.engine = engine
    yield world
    world.clouds.clear_faults()
    unwell = [engine.log.read_text()[-4000:] for engine in engines if not engine.end()]
    assert not unwell, "\n".join(unwell)
    assert world.clouds.summary()["simulator_errors"] == 0
