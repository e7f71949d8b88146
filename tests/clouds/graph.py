"""Simulated Microsoft Graph (graph.microsoft.com/v1.0): the teams a token's user is in, and their channels. Reads only.

Tokens, and what each may see, are registered by control. Lists come in pages, chained by an opaque @odata.nextLink; a
link is good for the token and the collection it was made for. What isn't joined doesn't exist. Told by: the HTTP API.
"""

import base64
import dataclasses
import json
import uuid

from .clock import iso_zulu
from .web import Cloud, Refusal, json_reply

MAX_TOKENS = 10_000
MAX_LINKS = 100_000
TEAMS, CHANNELS = "Team.ReadBasic.All", "Channel.ReadBasic.All"
SCOPES = (TEAMS, CHANNELS)
# status -> (code, message) of an error nobody has said more about
ERRORS = {400: ("BadRequest", "Invalid request."), 401: ("InvalidAuthenticationToken", "Access token is empty."),
          403: ("Forbidden", "Insufficient privileges to complete the operation."),
          404: ("NotFound", "Resource not found."), 429: ("TooManyRequests", "Too many requests."),
          503: ("ServiceUnavailable", "The service is unavailable."), 504: ("GatewayTimeout", "Gateway timeout.")}


@dataclasses.dataclass(slots=True)
class Account:
    """What one token opens."""

    teams: list  # [{"id", "displayName", "channels": [{"id", "displayName"}]}]
    scopes: tuple
    expires: float


class Graph(Cloud):
    name = "graph"

    def __init__(self, simulation):
        super().__init__(simulation)
        self.reset()

    def reset(self):
        self.accounts = {}
        self._links = {}
        self._second = 0
        self._in_second = 0

    def routes(self):
        return [
            ("GET", "/v1.0/me/joinedTeams", self._list_teams),
            ("GET", "/v1.0/teams/{id}/channels", self._list_channels),
        ]

    # Control.

    def register(self, token, teams, scopes=SCOPES, lifetime_s=3600):
        """A token that is accepted from now on; registering it again replaces what it sees."""
        if token not in self.accounts and len(self.accounts) >= MAX_TOKENS:
            self.accounts.pop(next(iter(self.accounts)))
        self.accounts[token] = Account(teams, tuple(scopes), self.clock.now() + lifetime_s)

    def revoke(self, token):
        """Whether there was such a token."""
        return self.accounts.pop(token, None) is not None

    # Admission.

    def admit(self, request):
        token = request.bearer()
        if not token:
            return self._unauthorized("Access token is empty.")
        account = self.accounts.get(token)
        if account is None:
            return self._unauthorized("CompactToken parsing failed with error code: 80049217")
        if account.expires <= self.clock.now():
            return self._unauthorized("Lifetime validation failed, the token is expired.")
        return self._limit()

    def _unauthorized(self, message):
        reply = self._failure(401, "InvalidAuthenticationToken", message)
        reply.headers["WWW-Authenticate"] = ('Bearer realm="", authorization_uri="https://login.microsoftonline.com/'
                                             'common/oauth2/authorize", client_id="00000003-0000-0000-c000-000000000000"')
        return reply

    def _limit(self):
        """A fixed window of a second, over all tokens: Graph throttles by application."""
        limit, second = self.settings.rate_limit_per_s, int(self.clock.now())
        if second != self._second:
            self._second, self._in_second = second, 0
        self._in_second += 1
        return self.rate_limited_reply() if limit and self._in_second > limit else None

    def rate_limited_reply(self):
        reply = self._failure(429, "TooManyRequests", "Too many requests.")
        if self.settings.retry_after_s is not None:
            reply.headers["Retry-After"] = str(self.settings.retry_after_s)
        return reply

    def error_reply(self, status):
        code, message = ERRORS.get(status, ("InternalServerError", "An internal server error occurred."))
        return self._failure(status, code, message)

    def no_route(self, request, allowed):
        if allowed:
            return self._failure(405, "MethodNotAllowed", f"HTTP method {request.method} is not allowed.")
        if not request.path.startswith("/v1.0/"):
            return self._failure(400, "BadRequest", "Invalid version.")
        segment = request.path.split("/")[2]
        return self._failure(400, "BadRequest", f"Resource not found for the segment '{segment}'.")

    def decorate(self, request, reply):
        reply.headers["request-id"] = self._guid()
        reply.headers["client-request-id"] = request.headers.get("client-request-id", reply.headers["request-id"])
        reply.headers["x-ms-ags-diagnostic"] = '{"ServerInfo":{"DataCenter":"Simulated","Slice":"E","Ring":"1"}}'

    # Reads.

    def _list_teams(self, request):
        account = self._permitted(request, TEAMS)
        rows = [{"id": team["id"], "displayName": team["displayName"], "description": None, "isArchived": False,
                 "tenantId": None, "visibility": None} for team in account.teams]
        return self._page(request, "teams", rows)

    def _list_channels(self, request):
        account = self._permitted(request, CHANNELS)
        wanted = request.arguments["id"]
        team = next((team for team in account.teams if team["id"] == wanted), None)
        if team is None:
            raise Refusal(self._failure(404, "NotFound", f"No team found with Group Id {wanted}"))
        rows = [{"id": channel["id"], "displayName": channel["displayName"], "description": None, "email": "",
                 "createdDateTime": "2026-01-05T09:00:00Z", "membershipType": "standard", "isArchived": False}
                for channel in team["channels"]]
        return self._page(request, f"teams('{wanted}')/channels", rows)

    def _permitted(self, request, scope):
        account = self.accounts[request.bearer()]
        if scope not in account.scopes:
            raise Refusal(self._failure(403, "Forbidden", "Missing scope permissions on the request. API requires one of "
                                        f"'{scope}'. Scopes on the request '{', '.join(account.scopes)}'"))
        return account

    def _page(self, request, collection, rows):
        """One page of a list: its first, or the one a nextLink stands for."""
        start, key = 0, request.query.get("$skiptoken")
        if key is not None:
            if self._links.get(key, (None, None, 0))[:2] != (request.bearer(), request.path):
                raise Refusal(self._failure(400, "BadRequest", "Skip token is null or invalid."))
            start = self._links[key][2]
        end = start + max(1, self.settings.page_size)
        base = self.simulation.url(self.name)
        answer = {"@odata.context": f"{base}/v1.0/$metadata#{collection}", "@odata.count": len(rows[start:end]),
                  "value": rows[start:end]}
        if end < len(rows):
            answer["@odata.nextLink"] = f"{base}{request.path}?$skiptoken={self._link(request, end)}"
        return json_reply(200, answer)

    def _link(self, request, start):
        while len(self._links) >= MAX_LINKS:
            self._links.pop(next(iter(self._links)))
        key = base64.urlsafe_b64encode(json.dumps([self._guid(), start]).encode()).decode().rstrip("=")
        self._links[key] = (request.bearer(), request.path, start)
        return key

    def summary(self):
        return {"tokens": len(self.accounts)}

    # Helpers.

    def _failure(self, status, code, message):
        """Graph's error shape, with an innerError that names the request."""
        request_id = self._guid()
        return json_reply(status, {"error": {"code": code, "message": message, "innerError": {
            "date": iso_zulu(self.clock.now()).rstrip("Z"), "request-id": request_id, "client-request-id": request_id}}})

    def _guid(self):
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))


def teams_problem(teams):
    """What is wrong with a list of teams that control was given, or None."""
    if not isinstance(teams, list):
        return "teams must be a list"
    for team in teams:
        if not _named(team) or not isinstance(team.get("channels"), list):
            return "a team is an object of id, displayName and channels"
        if not all(_named(channel) for channel in team["channels"]):
            return "a channel is an object of id and displayName"
    return None


def _named(row):
    return isinstance(row, dict) and all(isinstance(row.get(name), str) and row[name] for name in ("id", "displayName"))
