"""requests and urllib, which know nothing of 202: they are shown the status document, and can poll by hand."""

import json
import sys
import time
import urllib.error
import urllib.request

import requests
from cases import FACADE, case, equal


def poll(base, response):
    """What a person writes who has read that a 202 has a Location."""
    while response.status_code == 202:
        time.sleep(int(response.headers["retry-after"]) / 4)
        response = requests.get(requests.compat.urljoin(base, response.headers["location"]))
    return response


def call(path):
    return poll(FACADE, requests.post(FACADE + path, json={}))


def canceled():
    first = requests.post(FACADE + "/never", json={})
    status = requests.compat.urljoin(FACADE, first.json()["statusUrl"])
    equal(requests.delete(status).status_code, 202)
    last = poll(FACADE, first)
    equal(last.headers["content-type"], "application/problem+json")
    return equal(last.status_code, 410)


def by_urllib():
    request = urllib.request.Request(FACADE + "/late", data=b"{}", method="POST")
    with urllib.request.urlopen(request) as first:
        equal(first.status, 202)
        location = requests.compat.urljoin(FACADE, first.headers["location"])
    waiting = urllib.request.Request(location, headers={"prefer": "wait=20"})
    with urllib.request.urlopen(waiting) as last:
        return equal(json.load(last)["made"], "late")


def urllib_failure():
    request = urllib.request.Request(FACADE + "/fail", data=b"{}", method="POST")
    with urllib.request.urlopen(request) as first:
        location = requests.compat.urljoin(FACADE, first.headers["location"])
    try:
        urllib.request.urlopen(urllib.request.Request(location, headers={"prefer": "wait=20"}))
    except urllib.error.HTTPError as error:
        equal(json.load(error)["error"]["code"], "OutOfStock")
        return equal(error.code, 409)
    raise AssertionError("no error")


def failure():
    response = call("/fail")
    equal(response.json()["error"]["code"], "OutOfStock")
    return equal(response.status_code, 409)


def unknown():
    response = requests.get(f"{FACADE}/operations/{'0' * 32}/result")
    equal(response.headers["content-type"], "application/problem+json")
    return equal(response.status_code, 404)


case("requests: fast", lambda: equal(requests.post(FACADE + "/fast").json()["made"], "fast"))
case("requests: late", lambda: equal(call("/late").json()["made"], "late"))
case("requests: failure", failure)
case("requests: cancel", canceled)
case("requests: unknown", unknown)
case("requests: large", lambda: equal(len(call("/large").json()["text"]), 1_000_000))
case("urllib: late, with a long poll", by_urllib)
case("urllib: failure, with a long poll", urllib_failure)
sys.exit()
