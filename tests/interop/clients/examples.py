"""requests against the axum example, and google-api-core against the tonic one: what their readers will try."""

import time

import grpc
import requests
from cases import WHERE, case, equal
from google.api_core import exceptions, grpc_helpers
from google.api_core.operations_v1 import OperationsClient
from google.longrunning import operations_pb2
from grpc_status import rpc_status

AXUM = f"http://{WHERE['axum']}"
CHANNEL = grpc.insecure_channel(WHERE["tonic"])
OPERATIONS = OperationsClient(CHANNEL)
#: The request and the reply are as small as this: field 1, a number, and field 1, a text.
BUILD = grpc_helpers.wrap_errors(CHANNEL.unary_unary("/demo.Reports/Build"))
JUNE = b"\x08\x06"


def location(response):
    equal(response.status_code, 202)
    return requests.compat.urljoin(AXUM, response.headers["location"])


def late():
    response = requests.get(location(requests.post(f"{AXUM}/reports")), headers={"prefer": "wait=20"})
    return equal(response.text.splitlines()[0], "product,sold")


def progress():
    first = requests.post(f"{AXUM}/imports")
    status = requests.compat.urljoin(AXUM, first.json()["statusUrl"])
    seen = requests.get(status).json()
    while "percentComplete" not in seen:
        seen = requests.get(status).json()
    requests.delete(status)
    while requests.get(status).json()["status"] == "Running":
        time.sleep(0.1)
    response = requests.get(location(first))
    return equal(response.json()["complete"], False)


def unknown():
    return equal(requests.get(f"{AXUM}/operations/{'0' * 32}").status_code, 404)


def operation():
    """The operation of a late call of the tonic example."""
    try:
        BUILD(JUNE)
    except exceptions.DeadlineExceeded as error:
        told = operations_pb2.Operation()
        rpc_status.from_call(error.errors[0]).details[0].Unpack(told)
        return told.name
    raise AssertionError("it is not late")


def report():
    name = operation()
    while not (told := OPERATIONS.get_operation(name)).done:
        time.sleep(0.1)
    equal(told.response.type_url, "type.googleapis.com/demo.Report")
    return equal(told.response.value[2:].decode(), "the report of month 6")


def cancel():
    name = operation()
    OPERATIONS.cancel_operation(name)
    while not (told := OPERATIONS.get_operation(name)).done:
        time.sleep(0.1)
    return equal(told.error.code, grpc.StatusCode.CANCELLED.value[0])


case("axum: late", late)
case("axum: progress, and cancel", progress)
case("axum: unknown", unknown)
case("tonic: late", report)
case("tonic: cancel", cancel)
