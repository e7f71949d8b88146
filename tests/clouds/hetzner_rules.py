"""What Hetzner Cloud knows and accepts: its catalogue, and the rules for names, labels and selectors.

Pure functions and tables; hetzner.py owns the state. Source: the public OpenAPI text of api.hetzner.cloud/v1.
"""

import functools
import re

# name: (id, description, country, city, network zone)
LOCATIONS = {
    "fsn1": (1, "Falkenstein DC Park 1", "DE", "Falkenstein", "eu-central"),
    "nbg1": (2, "Nuremberg DC Park 1", "DE", "Nuremberg", "eu-central"),
    "hel1": (3, "Helsinki DC Park 1", "FI", "Helsinki", "eu-central"),
    "ash": (4, "Ashburn, VA", "US", "Ashburn, VA", "us-east"),
    "hil": (5, "Hillsboro, OR", "US", "Hillsboro, OR", "us-west"),
    "sin": (6, "Singapore", "SG", "Singapore", "ap-southeast"),
}
EVERYWHERE = tuple(LOCATIONS)
EUROPE = ("fsn1", "nbg1", "hel1")

# name: (id, cores, memory GB, disk GB, architecture, locations)
SERVER_TYPES = {
    "cx22": (104, 2, 4, 40, "x86", EUROPE),
    "cx23": (114, 2, 4, 40, "x86", EUROPE),
    "cx32": (105, 4, 8, 80, "x86", EUROPE),
    "cx33": (115, 4, 8, 80, "x86", EUROPE),
    "cax11": (45, 2, 4, 40, "arm", EUROPE),
    "cpx11": (22, 2, 2, 40, "x86", EVERYWHERE),
    "cpx21": (23, 3, 4, 80, "x86", EVERYWHERE),
    "cpx31": (24, 4, 8, 160, "x86", EVERYWHERE),
    "ccx13": (96, 2, 8, 80, "x86", EVERYWHERE),
}
# euros an hour without tax, in Europe; what is said elsewhere is a fifth more
HOURLY_NET = {"cx22": 0.0060, "cx23": 0.0056, "cx32": 0.0110, "cx33": 0.0088, "cax11": 0.0060, "cpx11": 0.0070,
              "cpx21": 0.0120, "cpx31": 0.0210, "ccx13": 0.0200}
CURRENCY = "EUR"
VAT_RATE = 19

IMAGES = {
    "ubuntu-22.04": (67794396, "Ubuntu 22.04", "ubuntu"),
    "ubuntu-24.04": (161547269, "Ubuntu 24.04", "ubuntu"),
    "debian-12": (114690387, "Debian 12", "debian"),
    "debian-13": (310557660, "Debian 13", "debian"),
}

# HTTP status -> (code, message) of an error a fault injects without a body of its own
ERRORS = {
    400: ("json_error", "Invalid JSON"),
    401: ("unauthorized", "unable to authenticate"),
    403: ("resource_limit_exceeded", "server limit reached"),
    404: ("not_found", "server not found"),
    405: ("method_not_allowed", "method not allowed"),
    409: ("conflict", "the resource was changed by another request"),
    410: ("deprecated_api_endpoint", "this API endpoint was removed"),
    412: ("resource_unavailable", "error during placement"),
    422: ("service_error", "service error"),
    423: ("locked", "cannot perform operation because server is locked"),
    429: ("rate_limit_exceeded", "limit of 3600 requests per hour reached"),
    500: ("server_error", "internal server error"),
    502: ("bad_gateway", "bad gateway"),
    503: ("unavailable", "service unavailable"),
    504: ("timeout", "the request timed out"),
}

MAX_USER_DATA = 32 * 1024
HOSTNAME = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*")
LABEL_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
LABEL_PREFIX = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*")


# The views are made once and shared: nobody changes them.

@functools.cache
def location_view(name):
    number, description, country, city, zone = LOCATIONS[name]
    return {"id": number, "name": name, "description": description, "country": country, "city": city,
            "latitude": 0.0, "longitude": 0.0, "network_zone": zone}


def _amount(net):
    """Decimal texts, as long as the API's own."""
    return {"net": f"{net:.10f}", "gross": f"{net * (100 + VAT_RATE) / 100:.16f}"}


@functools.cache
def prices_of(name):
    """One for each location that has the type."""
    prices = []
    for place in SERVER_TYPES[name][5]:
        hourly = HOURLY_NET[name] * (1 if place in EUROPE else 1.2)
        prices.append({"location": place, "price_hourly": _amount(hourly), "price_monthly": _amount(hourly * 624),
                       "included_traffic": 21990232555520, "price_per_tb_traffic": _amount(1.0)})
    return prices


def pricing_view():
    return {"currency": CURRENCY, "vat_rate": f"{VAT_RATE:.6f}",
            "server_types": [{"id": SERVER_TYPES[name][0], "name": name, "prices": prices_of(name)}
                             for name in SERVER_TYPES]}


@functools.cache
def server_type_view(name):
    number, cores, memory, disk, architecture, locations = SERVER_TYPES[name]
    return {"id": number, "name": name, "description": name.upper(), "cores": cores, "memory": memory, "disk": disk,
            "storage_type": "local", "cpu_type": "shared", "architecture": architecture, "deprecated": False,
            "deprecation": None, "prices": prices_of(name),
            "locations": [{"id": LOCATIONS[place][0], "name": place, "deprecation": None} for place in locations]}


@functools.cache
def image_view(name):
    number, description, flavor = IMAGES[name]
    return {"id": number, "name": name, "description": description, "type": "system", "status": "available",
            "os_flavor": flavor, "os_version": name.partition("-")[2], "architecture": "x86", "disk_size": 5,
            "image_size": None, "labels": {}, "protection": {"delete": False}, "rapid_deploy": True}


def lookup(table, wanted):
    """The name in a catalogue for a name or an id (a number, or digits); None when unknown."""
    if isinstance(wanted, str) and wanted in table:
        return wanted
    if isinstance(wanted, bool) or not isinstance(wanted, (int, str)):
        return None
    for name, row in table.items():
        if str(row[0]) == str(wanted):
            return name
    return None


def hostname_problem(name):
    """Why a server cannot have this name, or None."""
    if not isinstance(name, str):
        return "Not a valid string."
    if not name or len(name) > 253 or not HOSTNAME.fullmatch(name):
        return "Invalid name: must be a valid hostname as per RFC 1123"
    return None


def labels_problem(labels):
    """Why these labels are refused, or None."""
    if not isinstance(labels, dict):
        return "Not a valid mapping type."
    for key, value in labels.items():
        prefix, slash, name = key.rpartition("/")
        if slash and (not LABEL_PREFIX.fullmatch(prefix) or len(prefix) > 253):
            return f"label key '{key}' has an invalid prefix"
        if prefix == "hetzner.cloud":
            return f"label key '{key}' uses the reserved prefix 'hetzner.cloud/'"
        if not LABEL_NAME.fullmatch(name):
            return f"label key '{key}' is not correctly formatted"
        if not isinstance(value, str) or (value and not LABEL_NAME.fullmatch(value)):
            return f"label value '{value}' is not correctly formatted"
    return None


def creation_problems(body, ssh_keys):
    """Everything wrong with the body of a creation, as [(field, message)]. ssh_keys: those the project has."""
    problems = [(name, "Missing data for required field.") for name in ("name", "server_type", "image")
                if body.get(name) is None]
    if body.get("name") is not None and hostname_problem(body["name"]):
        problems.append(("name", hostname_problem(body["name"])))
    if "datacenter" in body:
        problems.append(("datacenter", "Unknown field: use location."))
    server_type = lookup(SERVER_TYPES, body.get("server_type"))
    location = lookup(LOCATIONS, body.get("location", "fsn1"))
    if body.get("server_type") is not None and server_type is None:
        problems.append(("server_type", f"server type {body['server_type']!r} not found"))
    if body.get("image") is not None and lookup(IMAGES, body["image"]) is None:
        problems.append(("image", f"image {body['image']!r} not found"))
    if location is None:
        problems.append(("location", f"location {body.get('location')!r} not found"))
    elif server_type is not None and location not in SERVER_TYPES[server_type][5]:
        problems.append(("location", "unsupported location for server type"))
    return problems + _optional_problems(body, ssh_keys)


def _optional_problems(body, ssh_keys):
    problems = []
    labels = body.get("labels")
    if labels is not None and labels_problem(labels):
        problems.append(("labels", labels_problem(labels)))
    user_data = body.get("user_data")
    if user_data is not None and not isinstance(user_data, str):
        problems.append(("user_data", "Not a valid string."))
    elif user_data is not None and len(user_data.encode()) > MAX_USER_DATA:
        problems.append(("user_data", "Longer than maximum length 32768."))
    lists = {name: body[name] for name in ("networks", "volumes", "ssh_keys", "firewalls")
             if body.get(name) is not None}
    problems += [(name, "Not a valid list.") for name, value in lists.items() if not isinstance(value, list)]
    if problems:
        return problems
    if any(not isinstance(item, dict) or "firewall" not in item for item in lists.get("firewalls", [])):
        problems.append(("firewalls", "Not a valid firewall."))
    for key in lists.get("ssh_keys", []):
        if not any(key in (known["id"], known["name"], str(known["id"])) for known in ssh_keys):
            problems.append(("ssh_keys", f"SSH key {key!r} not found"))
    if body.get("public_net") is not None and not isinstance(body["public_net"], dict):
        problems.append(("public_net", "Not a valid mapping type."))
    return problems + [(name, "Not a valid boolean.") for name in ("start_after_create", "automount")
                       if body.get(name) is not None and not isinstance(body[name], bool)]


SELECTOR_TERM = re.compile(
    r"\s*(?:(?P<absent>!)\s*(?P<absent_key>[\w./-]+)"
    r"|(?P<key>[\w./-]+)(?:\s*(?P<operator>==|!=|=)\s*(?P<value>[\w.-]*)"
    r"|\s+(?P<set_operator>in|notin)\s*\((?P<values>[^()]*)\))?)\s*")


def parse_selector(selector):
    """A label selector as a list of (operator, key, values); ValueError when it is malformed.

    operator: "in", "notin" (also true where the key is absent), "exists", "absent".
    """
    terms, position = [], 0
    while True:
        match = SELECTOR_TERM.match(selector, position)
        if match is None or (match.end() < len(selector) and selector[match.end()] != ","):
            raise ValueError(f"malformed label selector at {position}")
        terms.append(_term(match))
        if match.end() >= len(selector):
            return terms
        position = match.end() + 1


def _term(match):
    if match["absent"]:
        return "absent", match["absent_key"], ()
    if match["set_operator"]:
        return match["set_operator"], match["key"], tuple(value.strip() for value in match["values"].split(","))
    if match["operator"]:
        return ("notin" if match["operator"] == "!=" else "in"), match["key"], (match["value"],)
    return "exists", match["key"], ()


def selects(terms, labels):
    """Whether a parsed selector selects these labels."""
    for operator, key, values in terms:
        if operator == "in" and labels.get(key) not in values:
            return False
        if operator == "notin" and labels.get(key) in values:
            return False
        if operator == "exists" and key not in labels:
            return False
        if operator == "absent" and key in labels:
            return False
    return True
