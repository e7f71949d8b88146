"""Simulated Hetzner: what it refuses, how servers live, and what its lists say."""

import re

import pytest

from clouds import hetzner_rules as rules

pytestmark = pytest.mark.asyncio

SERVER = {"name": "agent-a1", "server_type": "cx22", "image": "ubuntu-24.04", "location": "fsn1",
          "ssh_keys": ["default"], "labels": {"sluice-agent": "a1", "sluice-job": "j1"}}


def code(answer):
    return answer.json["error"]["code"]


def fields(answer):
    return [field["name"] for field in answer.json["error"]["details"]["fields"]]


async def running(sim, hetzner, **changes):
    """A server that has booted; answers its id."""
    created = await hetzner("POST", "/servers", {**SERVER, **changes})
    assert created.status == 201, created.body
    sim.clock.advance(2 * sim.settings.hetzner.action_ms + 1)
    return created.json["server"]["id"]


async def test_credentials(hetzner):
    for headers in ({"Authorization": "Bearer wrong"}, {"Authorization": None}, {"Authorization": "Basic x"}):
        refused = await hetzner("GET", "/servers", headers=headers)
        assert refused.status == 401
        assert refused.json == {"error": {"code": "unauthorized", "message": "unable to authenticate",
                                          "details": None}}
        assert re.fullmatch(r"[0-9a-f]{16}", refused.headers["X-Correlation-Id"])


async def test_create_then_boot(sim, hetzner):
    created = await hetzner("POST", "/servers", SERVER)
    assert created.status == 201
    body = created.json
    assert body["server"]["status"] == "initializing" and body["server"]["locked"] is True
    assert body["root_password"] is None
    assert body["action"]["command"] == "create_server" and body["action"]["status"] == "running"
    assert [action["command"] for action in body["next_actions"]] == ["start_server"]
    assert set(body["action"]) == {"id", "command", "status", "progress", "started", "finished", "resources", "error"}
    path = f"/servers/{body['server']['id']}"
    sim.clock.advance(75)
    halfway = (await hetzner("GET", f"/actions/{body['action']['id']}")).json["action"]
    assert halfway["status"] == "running" and 0 < halfway["progress"] < 100 and halfway["finished"] is None
    sim.clock.advance(80)
    assert (await hetzner("GET", path)).json["server"]["status"] == "starting"
    sim.clock.advance(150)
    server = (await hetzner("GET", path)).json["server"]
    assert server["status"] == "running" and server["locked"] is False
    assert server["labels"] == SERVER["labels"] and "datacenter" not in server
    ended = (await hetzner("GET", f"{path}/actions")).json["actions"]
    assert [(action["command"], action["status"], action["progress"]) for action in ended] == [
        ("create_server", "success", 100), ("start_server", "success", 100)]


async def test_root_password_only_without_keys(hetzner):
    created = await hetzner("POST", "/servers", {**SERVER, "ssh_keys": []})
    assert isinstance(created.json["root_password"], str)


async def test_not_started_after_create(sim, hetzner):
    number = await running(sim, hetzner, start_after_create=False)
    assert (await hetzner("GET", f"/servers/{number}")).json["server"]["status"] == "off"


@pytest.mark.parametrize(("changes", "wrong"), [
    ({"name": None}, ["name"]),
    ({"name": None, "server_type": None, "image": None}, ["name", "server_type", "image"]),
    ({"name": "under_score"}, ["name"]),
    ({"name": "-dash"}, ["name"]),
    ({"name": "x" * 64}, ["name"]),
    ({"server_type": "cx99"}, ["server_type"]),
    ({"image": "windows"}, ["image"]),
    ({"location": "moon"}, ["location"]),
    ({"location": "ash"}, ["location"]),  # cx types are in Europe only
    ({"datacenter": "fsn1-dc14"}, ["datacenter"]),
    ({"user_data": "x" * 32769}, ["user_data"]),
    ({"user_data": 7}, ["user_data"]),
    ({"ssh_keys": ["nobody"]}, ["ssh_keys"]),
    ({"labels": {"-a": "b"}}, ["labels"]),
    ({"labels": {"a": "b c"}}, ["labels"]),
    ({"labels": {"hetzner.cloud/a": "b"}}, ["labels"]),
    ({"labels": {"a": "b" * 64}}, ["labels"]),
    ({"labels": []}, ["labels"]),
    ({"networks": 3}, ["networks"]),
    ({"firewalls": [38]}, ["firewalls"]),
    ({"start_after_create": "yes"}, ["start_after_create"]),
    ({"public_net": []}, ["public_net"]),
])
async def test_invalid_input(sim, hetzner, changes, wrong):
    refused = await hetzner("POST", "/servers", {**SERVER, **changes})
    assert (refused.status, code(refused), fields(refused)) == (422, "invalid_input", wrong)
    assert not sim.hetzner.servers


async def test_largest_user_data_and_empty_label(hetzner):
    taken = await hetzner("POST", "/servers", {**SERVER, "user_data": "x" * 32768, "labels": {"a": "", "x.io/b": "c"}})
    assert taken.status == 201


async def test_not_json(hetzner):
    refused = await hetzner("POST", "/servers", form="{")
    assert (refused.status, code(refused)) == (400, "json_error")


async def test_name_is_unique_until_the_server_is_gone(sim, hetzner):
    number = await running(sim, hetzner)
    refused = await hetzner("POST", "/servers", SERVER)
    assert (refused.status, code(refused), fields(refused)) == (409, "uniqueness_error", ["name"])
    assert refused.json["error"]["message"] == "server name is already used"
    deleted = await hetzner("DELETE", f"/servers/{number}")
    assert deleted.status == 200 and deleted.json["action"]["command"] == "delete_server"
    assert (await hetzner("GET", f"/servers/{number}")).json["server"]["status"] == "deleting"
    assert (await hetzner("POST", "/servers", SERVER)).status == 409
    sim.clock.advance(151)
    gone = await hetzner("GET", f"/servers/{number}")
    assert (gone.status, code(gone)) == (404, "not_found")
    assert (await hetzner("DELETE", f"/servers/{number}")).status == 404
    assert (await hetzner("GET", f"/actions/{deleted.json['action']['id']}")).json["action"]["status"] == "success"
    assert (await hetzner("POST", "/servers", SERVER)).status == 201


async def test_placement_and_limits(sim, hetzner, control):
    await control("POST", "/config", {"hetzner": {"unavailable_locations": ["fsn1"]}})
    refused = await hetzner("POST", "/servers", SERVER)
    assert (refused.status, code(refused)) == (412, "resource_unavailable")
    assert refused.json["error"]["message"] == "error during placement"
    await control("POST", "/config", {"hetzner": {"unavailable_locations": [], "server_limit": 0}})
    refused = await hetzner("POST", "/servers", SERVER)
    assert (refused.status, code(refused)) == (403, "resource_limit_exceeded")
    assert refused.json["error"]["details"] == {"limits": [{"name": "server_limit"}]}


async def test_locked_while_an_action_runs(sim, hetzner):
    number = await running(sim, hetzner)
    assert (await hetzner("POST", f"/servers/{number}/actions/poweroff")).status == 201
    for method, path in (("DELETE", f"/servers/{number}"), ("POST", f"/servers/{number}/actions/poweron")):
        refused = await hetzner(method, path)
        assert (refused.status, code(refused)) == (423, "locked")
        assert refused.json["error"]["message"] == "cannot perform operation because server is locked"
    sim.clock.advance(151)
    assert (await hetzner("GET", f"/servers/{number}")).json["server"]["status"] == "off"
    assert (await hetzner("DELETE", f"/servers/{number}")).status == 200


async def test_shutdown_only_sends_acpi(sim, hetzner, control):
    number = await running(sim, hetzner)
    action = (await hetzner("POST", f"/servers/{number}/actions/shutdown")).json["action"]
    sim.clock.advance(151)
    assert (await hetzner("GET", f"/actions/{action['id']}")).json["action"]["status"] == "success"
    assert (await hetzner("GET", f"/servers/{number}")).json["server"]["status"] == "running"
    sim.clock.advance(301)
    assert (await hetzner("GET", f"/servers/{number}")).json["server"]["status"] == "off"
    await hetzner("POST", f"/servers/{number}/actions/poweron")
    sim.clock.advance(151)
    await control("POST", f"/hetzner/servers/{number}/state", {"acpi_ms": None})
    await hetzner("POST", f"/servers/{number}/actions/shutdown")
    sim.clock.advance(3_600_000)
    assert (await hetzner("GET", f"/servers/{number}")).json["server"]["status"] == "running"


async def test_late_acpi_does_not_hit_a_later_life(sim, hetzner, control):
    await control("POST", "/config", {"hetzner": {"acpi_ms": 1000}})
    number = await running(sim, hetzner)
    for command in ("shutdown", "poweroff", "poweron"):
        await hetzner("POST", f"/servers/{number}/actions/{command}")
        sim.clock.advance(151)
    sim.clock.advance(5000)
    assert (await hetzner("GET", f"/servers/{number}")).json["server"]["status"] == "running"


async def test_reset_and_reboot_keep_it_running(sim, hetzner):
    number = await running(sim, hetzner)
    for command, action in (("reset", "reset_server"), ("reboot", "reboot_server")):
        begun = await hetzner("POST", f"/servers/{number}/actions/{command}")
        assert begun.status == 201 and begun.json["action"]["command"] == action
        sim.clock.advance(151)
    assert (await hetzner("GET", f"/servers/{number}")).json["server"]["status"] == "running"
    assert (await hetzner("POST", f"/servers/{number}/actions/explode")).status == 405


async def test_planned_action_failure(sim, hetzner, control):
    number = await running(sim, hetzner)
    await control("POST", "/hetzner/fail_actions", {"command": "delete_server"})
    action = (await hetzner("DELETE", f"/servers/{number}")).json["action"]
    sim.clock.advance(151)
    ended = (await hetzner("GET", f"/actions/{action['id']}")).json["action"]
    assert ended["status"] == "error" and ended["error"]["code"] == "action_failed"
    assert (await hetzner("GET", f"/servers/{number}")).status == 200
    assert (await hetzner("DELETE", f"/servers/{number}")).status == 200
    sim.clock.advance(151)
    assert (await hetzner("GET", f"/servers/{number}")).status == 404


async def test_actions_need_ids(sim, hetzner):
    created = (await hetzner("POST", "/servers", SERVER)).json
    ids = [created["action"]["id"], created["next_actions"][0]["id"]]
    listed = await hetzner("GET", f"/actions?id={ids[0]}&id={ids[1]}")
    assert [action["id"] for action in listed.json["actions"]] == ids
    refused = await hetzner("GET", "/actions")
    assert (refused.status, code(refused)) == (410, "deprecated_api_endpoint")
    assert (await hetzner("GET", "/actions/1")).status == 404


async def test_list_by_name_selector_and_page(sim, hetzner):
    for number in range(3):
        await hetzner("POST", "/servers", {**SERVER, "name": f"agent-{number}",
                                           "labels": {"sluice-agent": f"a{number}", "tier": "gold" if number else ""}})

    async def names(query):
        return [server["name"] for server in (await hetzner("GET", f"/servers?{query}")).json["servers"]]
    assert await names("name=agent-1") == ["agent-1"]
    assert await names("name=agent") == []
    assert await names("label_selector=sluice-agent%3D%3Da2") == ["agent-2"]
    assert await names("label_selector=tier%3Dgold%2Csluice-agent%21%3Da1") == ["agent-2"]
    assert await names("label_selector=sluice-agent+in+%28a0%2Ca1%29") == ["agent-0", "agent-1"]
    assert await names("label_selector=%21nothing&sort=name:desc") == ["agent-2", "agent-1", "agent-0"]
    assert await names("label_selector=tier%3D%3D") == ["agent-0"]
    assert await names("status=running") == []
    assert (await hetzner("GET", "/servers?label_selector=a%3D%3D%3Db")).status == 422
    page = await hetzner("GET", "/servers?page=2&per_page=2")
    assert [server["name"] for server in page.json["servers"]] == ["agent-2"]
    assert page.json["meta"]["pagination"] == {"page": 2, "per_page": 2, "previous_page": 1, "next_page": None,
                                               "last_page": 2, "total_entries": 3}
    assert 'rel="prev"' in page.headers["Link"]
    assert (await hetzner("GET", "/servers?per_page=500")).json["meta"]["pagination"]["per_page"] == 50


async def test_update_labels_moves_the_index(sim, hetzner):
    number = await running(sim, hetzner)
    await hetzner("PUT", f"/servers/{number}", {"labels": {"sluice-agent": "b2"}})
    found = await hetzner("GET", "/servers?label_selector=sluice-agent%3D%3Da1")
    assert found.json["servers"] == []
    found = await hetzner("GET", "/servers?label_selector=sluice-agent%3D%3Db2")
    assert [server["id"] for server in found.json["servers"]] == [number]


async def test_rate_limit_is_a_bucket_over_all_requests(sim, hetzner, control):
    await control("POST", "/config", {"hetzner": {"rate_limit": 3}})
    await control("POST", "/reset", {"clouds": ["hetzner"], "keep_config": True})
    first = await hetzner("GET", "/servers")
    assert (first.headers["RateLimit-Limit"], first.headers["RateLimit-Remaining"]) == ("3", "2")
    assert int(first.headers["RateLimit-Reset"]) > sim.clock.now()
    assert (await hetzner("GET", "/servers", bare=True)).status == 401
    assert (await hetzner("GET", "/servers")).status == 200
    refused = await hetzner("GET", "/servers")
    assert (refused.status, code(refused)) == (429, "rate_limit_exceeded")
    assert refused.headers["RateLimit-Remaining"] == "0" and "Retry-After" not in refused.headers
    sim.clock.advance(1_200_000)  # a third of an hour: one token
    assert (await hetzner("GET", "/servers")).status == 200
    assert (await hetzner("GET", "/servers")).status == 429


async def test_unknown_paths_and_removed_ones(hetzner):
    assert code(await hetzner("GET", "/nothing")) == "not_found"
    refused = await hetzner("PATCH", "/servers")
    assert (refused.status, code(refused)) == (405, "method_not_allowed")
    refused = await hetzner("GET", "/datacenters")
    assert (refused.status, code(refused)) == (410, "deprecated_api_endpoint")
    assert (await hetzner("GET", "/servers/abc")).status == 404


async def test_catalogue_and_ssh_keys(hetzner):
    assert len((await hetzner("GET", "/locations")).json["locations"]) == len(rules.LOCATIONS)
    assert (await hetzner("GET", "/server_types?name=cx22")).json["server_types"][0]["name"] == "cx22"
    assert (await hetzner("GET", "/images?name=debian-12")).json["images"][0]["os_flavor"] == "debian"
    key = {"name": "ops", "public_key": "ssh-ed25519 AAAA ops"}
    assert (await hetzner("POST", "/ssh_keys", key)).status == 201
    refused = await hetzner("POST", "/ssh_keys", key)
    assert (refused.status, code(refused)) == (409, "uniqueness_error")
    assert (await hetzner("POST", "/servers", {**SERVER, "ssh_keys": ["ops", 1]})).status == 201
    assert len((await hetzner("GET", "/ssh_keys")).json["ssh_keys"]) == 2


async def test_parts_that_do_not_exist(hetzner, control):
    for part in ({"networks": [4]}, {"firewalls": [{"firewall": 38}]}, {"volumes": [9]}, {"placement_group": 1}):
        refused = await hetzner("POST", "/servers", {**SERVER, **part})
        assert (refused.status, code(refused)) == (404, "not_found")
    await control("POST", "/config", {"hetzner": {"firewall_ids": [38]}})
    created = await hetzner("POST", "/servers", {**SERVER, "firewalls": [{"firewall": 38}]})
    assert created.json["server"]["public_net"]["firewalls"] == [{"id": 38, "status": "applied"}]


@pytest.mark.parametrize(("selector", "labels", "chosen"), [
    ("a==b", {"a": "b"}, True), ("a=b", {"a": "c"}, False), ("a!=b", {}, True), ("a", {"a": ""}, True),
    ("!a", {"a": "b"}, False), ("a in (b, c)", {"a": "c"}, True), ("a notin (b,c)", {"a": "b"}, False),
    ("a notin (b,c)", {}, True), ("a==b,c", {"a": "b"}, False), ("a==b,c", {"a": "b", "c": ""}, True),
])
async def test_selector_table(selector, labels, chosen):
    assert rules.selects(rules.parse_selector(selector), labels) is chosen


@pytest.mark.parametrize("selector", ["", "==b", "a===b", "a in b", "a,,b", "a b", "(a)"])
async def test_selector_malformed(selector):
    with pytest.raises(ValueError, match="malformed"):
        rules.parse_selector(selector)


async def test_servers_carry_the_prices_of_their_type_for_each_location(sim, hetzner):
    number = await running(sim, hetzner)
    server = (await hetzner("GET", f"/servers/{number}")).json["server"]
    prices = {price["location"]: price for price in server["server_type"]["prices"]}
    assert set(prices) == {place["name"] for place in server["server_type"]["locations"]}
    net, gross = (prices["fsn1"]["price_hourly"][side] for side in ("net", "gross"))
    assert isinstance(net, str) and float(gross) > float(net) > 0
    pricing = (await hetzner("GET", "/pricing")).json["pricing"]
    assert pricing["currency"] == "EUR"
    assert {row["name"]: row["prices"] for row in pricing["server_types"]}["cx22"] == server["server_type"]["prices"]
