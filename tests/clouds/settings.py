"""Settings: the timings and limits of each cloud, changeable while it runs, checked by one table.

Values in ms unless the name says otherwise. A section is read by attribute (`settings.hetzner.action_ms`).
"""

MAX_MS = 7 * 24 * 3600 * 1000


class SettingError(ValueError):
    """A setting that does not exist or has a value it cannot have; the message names it."""


def milliseconds(value):
    return _is_number(value) and 0 <= value <= MAX_MS


def milliseconds_or_never(value):
    return value is None or milliseconds(value)


def count(value):
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def count_or_none(value):
    return value is None or count(value)


def rate_or_none(value):
    return value is None or (_is_number(value) and value > 0)


def flag(value):
    return isinstance(value, bool)


def text(value):
    return isinstance(value, str)


def text_list(value):
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def text_list_or_none(value):
    return value is None or text_list(value)


def count_list(value):
    return isinstance(value, list) and all(count(item) for item in value)


def _is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


# section -> name -> (default, check)
TABLE = {
    "hetzner": {
        "latency_ms": (0, milliseconds),
        "action_ms": (150, milliseconds),
        "delete_ms": (None, milliseconds_or_never),  # None: as action_ms
        "acpi_ms": (300, milliseconds_or_never),  # None: the guest ignores ACPI
        "rate_limit": (3600, count),  # 0: no limit
        "rate_refill_per_s": (None, rate_or_none),  # None: rate_limit / 3600
        "server_limit": (20_000, count),
        "unavailable_locations": ([], text_list),
        "network_ids": ([], count_list),
        "firewall_ids": ([], count_list),
        "volume_ids": ([], count_list),
        "placement_group_ids": ([], count_list),
    },
    "tailscale": {
        "latency_ms": (0, milliseconds),
        "join_ms": (100, milliseconds_or_never),  # None: a booted machine never joins
        "ephemeral_gone_ms": (None, milliseconds_or_never),
        "tags": (["tag:agent", "tag:sluice"], text_list),
        "device_limit": (50_000, count),
    },
    "github": {
        "latency_ms": (0, milliseconds),
        "rate_limit": (5000, count),  # 0: no limit
        "visible_after_ms": (0, milliseconds),  # how long a new run stays out of lists
        "cancel_ms": (20, milliseconds),
        "refuse_run_details": (False, flag),  # as an old GitHub Enterprise Server does
        "secondary_retry_after_s": (1, count_or_none),
        "webhooks": (True, flag),
        "run_limit": (100_000, count),
    },
    "runner": {
        "queue_ms": (20, milliseconds),
        "setup_ms": (30, milliseconds),
        "after_server_ms": (50, milliseconds),
        "beat_ms": (100, milliseconds),
        "poll_ms": (25, milliseconds),
        "callback_timeout_ms": (30_000, milliseconds),
        "callback_attempts": (5, count),
        "callback_retry_ms": (100, milliseconds),
        "run_timeout_ms": (6 * 3600 * 1000, milliseconds),
        "max_parallel": (256, count),
        "outcome": ("complete", text),
        "server_type": ("cpx11", text),
        "image": ("ubuntu-24.04", text),
        "report_cancelled": (False, flag),
        "text_ids": (True, flag),  # run_id and server_id as text, as the workflow's shell makes them; else numbers
        "refused_conclusion": ("cancelled", text),  # of a run whose claim was refused; "failure" as a plain exit 1
    },
    "stripe": {
        "latency_ms": (0, milliseconds),
        "rate_limit_per_s": (100, count),  # 0: no limit
        "prices": (None, text_list_or_none),  # None: every price_... exists
        "adopt_unknown": (False, flag),  # a customer or subscription nobody made here exists all the same
        "api_version": ("2026-10-28.endive", text),
    },
    "resend": {
        "latency_ms": (0, milliseconds),
        "rate_limit_per_s": (10, count),  # 0: no limit
        "daily_quota": (None, count_or_none),
        "verified_domains": (None, text_list_or_none),  # None: every domain
    },
    "provisioner": {
        "latency_ms": (0, milliseconds),
        "domain": ("apps.sluice.test", text),
        "app_limit": (20_000, count),
    },
    "graph": {
        "latency_ms": (0, milliseconds),
        "page_size": (20, count),
        "rate_limit_per_s": (30, count),  # 0: no limit
        "retry_after_s": (1, count_or_none),
    },
}


class Section:
    """The settings of one cloud, by attribute."""

    def __init__(self, name):
        self._name = name
        self.restore()

    def restore(self):
        for key, (default, _check) in TABLE[self._name].items():
            setattr(self, key, list(default) if isinstance(default, list) else default)

    def as_dict(self):
        return {key: getattr(self, key) for key in TABLE[self._name]}


class Settings:
    def __init__(self):
        for name in TABLE:
            setattr(self, name, Section(name))

    def update(self, document):
        """Applies {"cloud": {"name": value}}: all of it or, with SettingError, nothing."""
        if not isinstance(document, dict):
            raise SettingError("an object of sections is needed")
        for section, values in document.items():
            _check_section(section, values)
        for section, values in document.items():
            for name, value in values.items():
                setattr(getattr(self, section), name, value)

    def restore(self, sections):
        for name in sections:
            getattr(self, name).restore()

    def as_dict(self):
        return {name: getattr(self, name).as_dict() for name in TABLE}


def _check_section(section, values):
    if section not in TABLE:
        raise SettingError(f"no section '{section}': there are {', '.join(TABLE)}")
    if not isinstance(values, dict):
        raise SettingError(f"section '{section}' must be an object")
    for name, value in values.items():
        if name not in TABLE[section]:
            raise SettingError(f"no setting '{section}.{name}': there are {', '.join(TABLE[section])}")
        if not TABLE[section][name][1](value):
            raise SettingError(f"'{section}.{name}' cannot be {value!r} ({TABLE[section][name][1].__name__})")
