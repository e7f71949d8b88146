"""Simulated Graph: teams and channels of a token's user, page by page, and what a bad token or too many requests get."""

import pytest
import pytest_asyncio

from .conftest import Api

pytestmark = pytest.mark.asyncio

TEAMS = [{"id": f"team-{number}", "displayName": f"Team {number}",
          "channels": [{"id": f"19:{number}-{place}@thread.tacv2", "displayName": f"Channel {place}"}
                       for place in range(number)]} for number in range(5)]


@pytest_asyncio.fixture
async def graph(sim, http, control):
    made = await control("POST", "/graph/tokens", {"token": "tok-1", "teams": TEAMS})
    assert made.status == 201, made.body
    return Api(http, sim.url("graph"), {"Authorization": "Bearer tok-1"})


async def follow(graph, path):
    """All rows of a list, and how many pages they came in."""
    rows, pages = [], 0
    while path:
        answer = await graph("GET", path)
        assert answer.status == 200, answer.body
        rows += answer.json["value"]
        pages += 1
        link = answer.json.get("@odata.nextLink")
        assert link is None or link.startswith(graph.base + "/v1.0/")
        path = link and link.removeprefix(graph.base)
    return rows, pages


@pytest.mark.parametrize(("size", "pages"), [(1, 5), (2, 3), (5, 1), (100, 1)])
async def test_teams_come_in_pages(sim, graph, size, pages):
    sim.settings.graph.page_size = size
    rows, count = await follow(graph, "/v1.0/me/joinedTeams")
    assert [row["displayName"] for row in rows] == [f"Team {number}" for number in range(5)] and count == pages


async def test_channels(sim, graph):
    sim.settings.graph.page_size = 3
    rows, count = await follow(graph, "/v1.0/teams/team-4/channels")
    assert [row["displayName"] for row in rows] == [f"Channel {place}" for place in range(4)] and count == 2
    assert (await follow(graph, "/v1.0/teams/team-0/channels")) == ([], 1)


async def test_what_is_not_joined_does_not_exist(graph):
    refused = await graph("GET", "/v1.0/teams/team-9/channels")
    assert (refused.status, refused.json["error"]["code"]) == (404, "NotFound")


async def test_a_link_is_for_its_token_and_list(sim, graph, control):
    sim.settings.graph.page_size = 1
    link = (await graph("GET", "/v1.0/me/joinedTeams")).json["@odata.nextLink"]
    query = link.partition("?")[2]
    await control("POST", "/graph/tokens", {"token": "tok-2", "teams": TEAMS})
    for path, token in ((f"/v1.0/me/joinedTeams?{query}", "tok-2"), (f"/v1.0/teams/team-4/channels?{query}", "tok-1"),
                        ("/v1.0/me/joinedTeams?$skiptoken=odd", "tok-1")):
        refused = await graph("GET", path, headers={"Authorization": f"Bearer {token}"})
        assert (refused.status, refused.json["error"]["code"]) == (400, "BadRequest")


async def test_bad_tokens(sim, graph, control):
    for headers in ({"Authorization": None}, {"Authorization": "Bearer odd"}, {"Authorization": "Basic tok-1"}):
        refused = await graph("GET", "/v1.0/me/joinedTeams", headers=headers)
        error = refused.json["error"]
        assert (refused.status, error["code"]) == (401, "InvalidAuthenticationToken")
        assert set(error["innerError"]) == {"date", "request-id", "client-request-id"}
        assert refused.headers["WWW-Authenticate"].startswith("Bearer ")
    sim.clock.advance(3_600_001)
    assert "expired" in (await graph("GET", "/v1.0/me/joinedTeams")).json["error"]["message"]
    await control("POST", "/graph/tokens", {"token": "tok-1", "teams": [], "lifetime_s": 60})
    assert (await graph("GET", "/v1.0/me/joinedTeams")).json["value"] == []
    assert (await control("DELETE", "/graph/tokens", {"token": "tok-1"})).status == 200
    assert (await graph("GET", "/v1.0/me/joinedTeams")).status == 401
    assert (await control("DELETE", "/graph/tokens", {"token": "tok-1"})).status == 404


async def test_scopes(graph, control):
    await control("POST", "/graph/tokens", {"token": "tok-1", "teams": TEAMS, "scopes": ["Team.ReadBasic.All"]})
    assert (await graph("GET", "/v1.0/me/joinedTeams")).status == 200
    refused = await graph("GET", "/v1.0/teams/team-1/channels")
    assert (refused.status, refused.json["error"]["code"]) == (403, "Forbidden")
    assert "Channel.ReadBasic.All" in refused.json["error"]["message"]


async def test_throttling(sim, graph):
    sim.settings.graph.rate_limit_per_s = 2
    sim.settings.graph.retry_after_s = 7
    answers = [await graph("GET", "/v1.0/me/joinedTeams") for _ in range(6)]
    throttled = [answer for answer in answers if answer.status == 429]
    assert throttled and throttled[0].headers["Retry-After"] == "7"
    assert throttled[0].json["error"]["code"] == "TooManyRequests"
    sim.clock.advance(1000)
    assert (await graph("GET", "/v1.0/me/joinedTeams")).status == 200


async def test_wrong_requests(graph):
    assert (await graph("POST", "/v1.0/me/joinedTeams", {})).status == 405
    assert (await graph("GET", "/v1.0/me/drives")).status == 400
    assert (await graph("GET", "/beta/me/joinedTeams")).json["error"]["message"] == "Invalid version."
    answer = await graph("GET", "/v1.0/me/joinedTeams", headers={"client-request-id": "c-1"})
    assert answer.headers["client-request-id"] == "c-1" and answer.headers["request-id"]


async def test_the_token_is_in_no_book(graph, control):
    await graph("GET", "/v1.0/me/joinedTeams")
    for path in ("/calls?cloud=graph", "/ledger", "/summary"):
        assert b"tok-1" not in (await control("GET", path)).body


@pytest.mark.parametrize("change", [{"token": ""}, {"token": None}, {"teams": {}}, {"teams": [{"id": "t"}]},
                                    {"teams": [{"id": "t", "displayName": "T", "channels": [{"id": ""}]}]},
                                    {"scopes": ["Odd"]}, {"scopes": "Team.ReadBasic.All"}, {"lifetime_s": 0}])
async def test_bad_registrations(sim, control, change):
    assert (await control("POST", "/graph/tokens", {"token": "t", "teams": [], **change})).status == 400
    assert sim.graph.accounts == {}
