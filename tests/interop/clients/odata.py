"""odatapy: an OData client that asks with `Prefer: respond-async`."""

import httpx
from cases import FACADE, case, equal
from odatapy.client import HttpxTransport, ODataClient

CLIENT = ODataClient(FACADE + "/odata", HttpxTransport())


def start(path):
    return CLIENT.execute_async("POST", f"{FACADE}/odata/{path}", b"{}", "application/json")


def made(path, accepted=True):
    operation = start(path)
    equal(operation.accepted_response is not None, accepted)
    if accepted:
        equal(operation.accepted_response.get_header("Preference-Applied"), "respond-async")
    return operation.result()


def failure():
    """It does not look at `AsyncResult`, and takes the status for the operation's own."""
    response = made("fail")
    equal(response.get_header("AsyncResult"), "409")
    equal(response.json()["error"]["code"], "OutOfStock")
    return equal(response.status_code, 200)


def whole_message():
    """As a client of OData 4.0, it is given the whole response as `application/http`, and unpacks it."""
    client = ODataClient(FACADE + "/odata", HttpxTransport(), odata_version="4.0")
    url = f"{FACADE}/odata/fail"
    response = client.execute_async("POST", url, b"{}", "application/json").result()
    equal(response.json()["error"]["code"], "OutOfStock")
    return equal(response.status_code, 409)


def canceled():
    operation = start("never")
    equal(operation.cancel().status_code, 204)
    return equal(operation.poll().status_code, 404)


def unknown():
    operation = start("late")
    operation.monitor_url = f"{FACADE}/odata/operations/{'0' * 32}"
    return equal(operation.poll().status_code, 404)


def unsolicited():
    """Nobody who has not asked is answered 202."""
    response = httpx.post(f"{FACADE}/odata/late", json={})
    equal("preference-applied" in response.headers, False)
    return equal(response.status_code, 200)


case("fast", lambda: equal(made("fast", False).json()["made"], "fast"))
case("late", lambda: equal(made("late").json()["made"], "late"))
case("failure", failure, fault="it does not read AsyncResult, and shows its 200")
case("failure, as application/http", whole_message)
case("cancel", canceled)
case("unknown", unknown)
case("unsolicited", unsolicited)
case("large", lambda: equal(len(made("large").json()["text"]), 1_000_000))
