"""Stripe's form language: bracketed parameters, their types, and the errors for those it does not take.

Pure functions. `metadata[user_id]=u1&line_items[0][price]=p` becomes {"metadata": {"user_id": "u1"},
"line_items": [{"price": "p"}]}; values stay text until a parameter table gives them a type.
"""

import re
import urllib.parse

from .web import Refusal, json_reply

KEY = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
MAX_DEPTH = 6
MAX_PARAMETERS = 1000
ABSOLUTE_URL = re.compile(r"https?://[^\s/]+\S*", re.IGNORECASE)


def stripe_error(status, message, *, kind="invalid_request_error", code=None, param=None, headers=None):
    """A Reply in Stripe's error shape."""
    body = {"type": kind, "message": message}
    if code is not None:
        body["code"] = code
        body["doc_url"] = f"https://stripe.com/docs/error-codes/{code.replace('_', '-')}"
    if param is not None:
        body["param"] = param
    return json_reply(status, {"error": body}, headers)


def refuse(message, *, code=None, param=None, status=400):
    raise Refusal(stripe_error(status, message, code=code, param=param))


def no_such(noun, identifier, param="id", status=404):
    refuse(f"No such {noun}: '{identifier}'", code="resource_missing", param=param, status=status)


def parse_form(text):
    """A form body or query as nested dicts and lists of text."""
    pairs = urllib.parse.parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_PARAMETERS)
    root = {}
    for key, value in pairs:
        match = KEY.fullmatch(key)
        if match is None:
            refuse(f"Invalid parameter name: {key}", param=key)
        path = [match[1], *re.findall(r"\[([^\[\]]*)\]", match[2])]
        if len(path) > MAX_DEPTH:
            refuse(f"Parameter nested too deeply: {key}", param=key)
        _insert(root, path, value, key)
    return {name: _listed(value) for name, value in root.items()}


def _insert(root, path, value, key):
    place = root
    for name, following in zip(path, [*path[1:], None], strict=True):
        if name == "":
            name = str(len(place))
        if following is None:
            place[name] = value
            return
        place = place.setdefault(name, {})
        if not isinstance(place, dict):
            refuse(f"Invalid object: {key} is given both as a value and as an object", param=key)


def _listed(value):
    if not isinstance(value, dict):
        return value
    if value and all(name.isascii() and name.isdigit() for name in value):
        return [_listed(value[name]) for name in sorted(value, key=int)]
    return {name: _listed(item) for name, item in value.items()}


# Parameter types. Each takes (value, name) and answers the typed value or refuses.

def text(value, name):
    if not isinstance(value, str):
        refuse(f"Invalid string: {name} must be a string", param=name)
    if len(value) > 5000:
        refuse(f"Invalid string: {name} must be at most 5000 characters", param=name)
    return value


def short_text(value, name):
    if len(text(value, name)) > 200:
        refuse(f"Invalid string: {name} must be at most 200 characters", param=name)
    return value


def url(value, name):
    if not ABSOLUTE_URL.fullmatch(text(value, name)):
        refuse("Not a valid URL", code="url_invalid", param=name)
    return value


def email(value, name):
    if not re.fullmatch(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+", text(value, name)):
        refuse(f"Invalid email address: {value}", code="email_invalid", param=name)
    return value


def integer(value, name):
    if not re.fullmatch(r"-?\d{1,15}", text(value, name)):
        refuse(f"Invalid integer: {value}", code="parameter_invalid_integer", param=name)
    return int(value)


def boolean(value, name):
    if value not in ("true", "false"):
        refuse(f"Invalid boolean: {value}", param=name)
    return value == "true"


def metadata(value, name):
    if value == "":
        return {}
    if not isinstance(value, dict):
        refuse("Invalid object", code="parameter_invalid_object", param=name)
    if len(value) > 50:
        refuse("Metadata can have at most 50 keys", param=name)
    for key, item in value.items():
        if len(key) > 40:
            refuse(f"Metadata keys can have up to 40 characters: {key}", param=name)
        if not isinstance(item, str) or len(item) > 500:
            refuse("Metadata values can have up to 500 characters", param=f"{name}[{key}]")
    return dict(value)


def mapping(value, name):
    if not isinstance(value, dict):
        refuse("Invalid object", code="parameter_invalid_object", param=name)
    return value


def mapping_or_empty(value, name):
    return {} if value == "" else mapping(value, name)


def listing(value, name):
    if not isinstance(value, list):
        refuse("Invalid array", code="parameter_invalid_array", param=name)
    return value


def one_of(*choices):
    def check(value, name):
        if value not in choices:
            listed = ", ".join(choices)
            refuse(f"Invalid {name}: must be one of {listed}", param=name)
        return value
    return check


def typed(form, table):
    """The form's parameters with their types; refuses unknown ones. `expand` is taken everywhere."""
    values = {}
    for name, value in form.items():
        if name == "expand":
            continue
        if name not in table:
            refuse(f"Received unknown parameter: {name}", code="parameter_unknown", param=name)
        values[name] = table[name](value, name)
    return values


def require(values, name):
    """A parameter that must be there and not be empty."""
    if values.get(name) in (None, "", [], {}):
        refuse(f"Missing required param: {name}.", code="parameter_missing", param=name)
    return values[name]


CUSTOMER = {"email": email, "name": text, "description": text, "phone": text, "metadata": metadata,
            "payment_method": text, "invoice_settings": mapping, "preferred_locales": listing, "address": mapping,
            "shipping": mapping, "tax_exempt": text, "source": text, "balance": integer}
SESSION = {"mode": one_of("payment", "setup", "subscription"), "line_items": listing, "success_url": url,
           "cancel_url": url, "return_url": url, "client_reference_id": short_text, "customer": text,
           "customer_email": email, "metadata": metadata, "subscription_data": mapping, "payment_intent_data": mapping,
           "expires_at": integer, "ui_mode": one_of("hosted_page", "embedded_page", "elements", "hosted", "embedded"),
           "allow_promotion_codes": boolean, "billing_address_collection": text, "customer_creation": text,
           "payment_method_types": listing, "payment_method_collection": text, "locale": text, "currency": text,
           "automatic_tax": mapping, "tax_id_collection": mapping, "customer_update": mapping, "discounts": listing,
           "phone_number_collection": mapping, "consent_collection": mapping, "after_expiration": mapping}
SUBSCRIPTION = {"cancel_at_period_end": boolean, "cancel_at": lambda value, name: integer(value, name) if value else "",
                "items": listing, "metadata": metadata, "pause_collection": mapping_or_empty, "trial_end": text,
                "proration_behavior": one_of("always_invoice", "create_prorations", "none"), "payment_behavior": text,
                "proration_date": integer, "default_payment_method": text, "description": text,
                "days_until_due": integer,
                "cancellation_details": mapping, "collection_method": text, "billing_cycle_anchor": text}
CANCELLATION = {"invoice_now": boolean, "prorate": boolean, "cancellation_details": mapping}
RESUMPTION = {"billing_cycle_anchor": one_of("now", "unchanged"), "proration_date": integer,
              "proration_behavior": one_of("always_invoice", "create_prorations", "none")}
PORTAL = {"customer": text, "return_url": url, "configuration": text, "flow_data": mapping, "locale": text}
EVENTS = {"created": lambda value, name: value, "type": text, "types": listing, "delivery_success": boolean,
          "limit": integer, "starting_after": text, "ending_before": text}
PLAIN_LIST = {"limit": integer, "starting_after": text, "ending_before": text, "customer": text, "email": text,
              "status": text, "price": text}


def price_view(price):
    return {"id": price, "object": "price", "active": True, "currency": "usd", "livemode": False, "metadata": {},
            "product": "prod_" + price.removeprefix("price_"), "type": "recurring", "unit_amount": 4900,
            "recurring": {"interval": "month", "interval_count": 1, "usage_type": "licensed"}}


def merge_metadata(row, changes):
    """Metadata is merged; an empty value removes its key."""
    if changes is None:
        return
    merged = {**row["metadata"], **changes}
    row["metadata"] = {key: value for key, value in merged.items() if value != ""}


def created_bounds(created):
    """[(operator, unix)] of a `created` filter: a number, or gt/gte/lt/lte."""
    if created is None:
        return []
    if isinstance(created, str):
        return [("eq", integer(created, "created"))]
    bounds = []
    for operator, value in mapping(created, "created").items():
        if operator not in ("gt", "gte", "lt", "lte"):
            refuse(f"Received unknown parameter: created[{operator}]", code="parameter_unknown", param="created")
        bounds.append((operator, integer(value, f"created[{operator}]")))
    return bounds


def within(value, bounds):
    tests = {"eq": value.__eq__, "gt": value.__gt__, "gte": value.__ge__, "lt": value.__lt__, "lte": value.__le__}
    return all(tests[operator](bound) for operator, bound in bounds)


def type_matches(wanted, event_type):
    """An exact type, or a pattern such as checkout.*"""
    if wanted is None:
        return True
    return event_type.startswith(wanted[:-1]) if wanted.endswith("*") else event_type == wanted
