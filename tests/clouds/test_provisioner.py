"""Simulated provisioner: one app per subscription, updates, and the end."""

import pytest

pytestmark = pytest.mark.asyncio

APP = {"subscriptionId": "sub_1", "accountId": "u1", "tier": "starter", "limits": {"memoryMb": 512, "cpu": 0.5}}


async def test_life(sim, provisioner, control):
    made = await provisioner("POST", "/provision", APP)
    assert made.status == 200 and set(made.json) == {"appName", "subdomain", "frontendUrl", "backendUrl"}
    again = await provisioner("POST", "/provision", {**APP, "tier": "professional"})
    assert again.json == made.json and sim.summary()["live_apps"] == 1
    name = made.json["appName"]
    updated = await provisioner("PUT", "/update", {"appName": name, "limits": {"memoryMb": 2048}})
    assert updated.json == {"appName": name, "limits": {"memoryMb": 2048}}
    assert (await provisioner("GET", "/apps")).json["apps"][0]["limits"] == {"memoryMb": 2048}
    row, = (await control("GET", "/ledger?cloud=provisioner")).json["provisioner"]["apps"]
    assert (row["limits"], row["subscription_id"], row["live"]) == ({"memoryMb": 2048}, "sub_1", True)
    assert (await provisioner("DELETE", "/deprovision", {"appName": name})).status == 200
    assert (await provisioner("DELETE", "/deprovision", {"appName": name})).status == 404
    assert (await provisioner("PUT", "/update", {"appName": name, "limits": {}})).status == 404
    assert (await provisioner("POST", "/provision", APP)).json == made.json  # the name is the same in a later life


async def test_key(provisioner):
    for headers in ({"X-API-Key": "no"}, {"X-API-Key": None}):
        refused = await provisioner("POST", "/provision", APP, headers=headers)
        assert (refused.status, refused.json) == (401, {"error": "Unauthorized"})


@pytest.mark.parametrize("change", [{"subscriptionId": ""}, {"accountId": None}, {"tier": "gold"}, {"limits": []},
                                    {"limits": {"cpu": "2"}}, {"subscriptionId": "x" * 256}])
async def test_refusals(sim, provisioner, change):
    assert (await provisioner("POST", "/provision", {**APP, **change})).status == 400
    assert not sim.provisioner.apps


async def test_conflict_and_wrong_requests(provisioner):
    await provisioner("POST", "/provision", APP)
    assert (await provisioner("POST", "/provision", {**APP, "accountId": "u2"})).status == 409
    assert (await provisioner("POST", "/update", APP)).status == 405
    assert (await provisioner("POST", "/nothing", APP)).status == 404
    assert (await provisioner("POST", "/provision", form="{")).status == 400
