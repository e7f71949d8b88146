"""python -m clouds: starts the simulated clouds, writes where they are, and runs until SIGTERM or SIGINT."""

import argparse
import asyncio
import gc
import os
import resource
import signal
import sys

from .simulation import CLOUDS, Options, Simulation
from .web import complain

# flag, environment variable, field of Options
NAMES = (
    ("--hcloud-token", "HCLOUD_TOKEN", "hcloud_token"),
    ("--tailscale-api-key", "TAILSCALE_API_KEY", "tailscale_api_key"),
    ("--tailscale-oauth-client-id", "TAILSCALE_OAUTH_CLIENT_ID", "tailscale_oauth_client_id"),
    ("--tailscale-oauth-client-secret", "TAILSCALE_OAUTH_CLIENT_SECRET", "tailscale_oauth_client_secret"),
    ("--tailscale-tailnet", "TAILSCALE_TAILNET", "tailscale_tailnet"),
    ("--github-pat", "GITHUB_PAT", "github_pat"),
    ("--stripe-secret-key", "STRIPE_SECRET_KEY", "stripe_secret_key"),
    ("--resend-api-key", "RESEND_API_KEY", "resend_api_key"),
    ("--provisioner-api-key", "PROVISIONER_API_KEY", "provisioner_api_key"),
    ("--callback-secret", "GITHUB_CALLBACK_SECRET", "callback_secret"),
    ("--github-webhook-secret", "GITHUB_WEBHOOK_SECRET", "github_webhook_secret"),
)


def parse(arguments):
    """Command line and environment as (options, path of the env file)."""
    parser = argparse.ArgumentParser(prog="python -m clouds", description="The simulated clouds.")
    parser.add_argument("--env-file", required=True, help="written once all ports listen: NAME=value lines")
    parser.add_argument("--ingress-url", default="", help="where repository webhooks go (POST URL/webhooks/github)")
    parser.add_argument("--github-repo", help="owner/name (GITHUB_REPO_OWNER and GITHUB_REPO_NAME otherwise)")
    parser.add_argument("--seed", type=int, default=1, help="of ids and of random faults")
    for flag, variable, _field in NAMES:
        parser.add_argument(flag, help=f"otherwise ${variable}")
    for name in (*CLOUDS, "control"):
        parser.add_argument(f"--{name}-port", type=int, default=0, help="free unless given")
    given = parser.parse_args(arguments)
    options = Options(ingress_url=given.ingress_url, seed=given.seed)
    for flag, variable, field in NAMES:
        value = getattr(given, flag.removeprefix("--").replace("-", "_")) or os.environ.get(variable)
        if value:
            # secrets may be a list while they are rotated: the first one signs
            setattr(options, field, value.partition(",")[0] if field.endswith("_secret") else value)
    owner, name = os.environ.get("GITHUB_REPO_OWNER"), os.environ.get("GITHUB_REPO_NAME")
    options.github_repository = given.github_repo or (f"{owner}/{name}" if owner and name else
                                                      options.github_repository)
    options.ports = {name: getattr(given, f"{name}_port") for name in (*CLOUDS, "control")}
    return options, given.env_file


async def run(options, env_file):
    """Serves until a signal asks to end. Answers the exit code."""
    simulation = Simulation(options)
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    try:
        await simulation.start()
        simulation.write_environment(env_file)
    except OSError as error:
        complain(f"cannot start: {error}")
        await simulation.stop()
        return 1
    complain("listening: " + ", ".join(f"{name} {simulation.url(name)}" for name in simulation.listeners))
    await stopping.wait()
    await simulation.stop()
    return 0


def main():
    options, env_file = parse(sys.argv[1:])
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    gc.set_threshold(50_000, 20, 100)  # a large, long-lived world: full collections would stall it
    sys.exit(asyncio.run(run(options, env_file)))


if __name__ == "__main__":
    main()
