"""azure-core and azure-mgmt-core: pollers of Azure's SDKs for Python."""

import sys

from azure.core import PipelineClient
from azure.core.exceptions import HttpResponseError
from azure.core.pipeline import policies
from azure.core.polling import LROPoller
from azure.core.polling.base_polling import LROBasePolling
from azure.core.rest import HttpRequest
from azure.mgmt.core.polling.arm_polling import ARMPolling
from cases import FACADE, case, equal, raises

POLICIES = [
    policies.RequestIdPolicy(),
    policies.HeadersPolicy(),
    policies.RedirectPolicy(),
    policies.RetryPolicy(),
]
CLIENT = PipelineClient(FACADE, policies=POLICIES)


def send(method, path, **kwargs):
    request = HttpRequest(method, FACADE + path, json={} if method == "POST" else None)
    return CLIENT._pipeline.run(request, **kwargs)


def poller(polling, path, method="POST"):
    first = send(method, path)
    status = first.http_response.status_code

    def deserialize(response):
        return response.http_response.json() if response.http_response.content else None

    return status, LROPoller(CLIENT, first, deserialize, polling)


def result(polling, path, accepted):
    status, operation = poller(polling, path)
    equal(status, 202 if accepted else 200)
    return operation.result()


def failed(polling, path, code):
    def run():
        return result(polling, path, True)

    return raises(HttpResponseError, run, lambda error: error.error is not None and error.error.code == code)


def canceled(polling, path):
    _, operation = poller(polling, path)
    first = operation._polling_method._initial_response.http_response
    where = first.headers.get("operation-location") or first.headers["azure-asyncoperation"]
    deleted = CLIENT._pipeline.run(HttpRequest("DELETE", where)).http_response
    assert deleted.status_code in (200, 202), deleted.status_code
    return raises(HttpResponseError, operation.result, lambda error: "Canceled" in str(error) or "cancel" in str(error).lower())


def unknown(path):
    response = send("GET", path).http_response
    equal(response.status_code, 404)
    error = HttpResponseError(response=response)
    return f"404 {error.error.code if error.error else response.json()['code']}"


def cases(name, polling, prefix, code):
    case(f"{name}: fast", lambda: equal(result(polling(), f"{prefix}/fast", False)["made"], "fast"))
    case(f"{name}: late", lambda: equal(result(polling(), f"{prefix}/late", True)["made"], "late"))
    case(f"{name}: failure", lambda: failed(polling(), f"{prefix}/fail", code))
    case(f"{name}: cancel", lambda: canceled(polling(), f"{prefix}/never"))
    case(f"{name}: unknown", lambda: unknown(f"{prefix}/operations/{'0' * 32}"))
    case(
        f"{name}: large",
        lambda: equal(len(result(polling(), f"{prefix}/large", True)["text"]), 1_000_000),
    )


def put_passes(prefix):
    """Their pollers end a PUT at its own URL, so it is never deferred."""
    response = send("PUT", f"{prefix}/late").http_response
    return equal(response.status_code, 200)


def main():
    which, prefix = sys.argv[1:3]
    polling = {"core": lambda: LROBasePolling(timeout=1), "mgmt": lambda: ARMPolling(timeout=1)}[which]
    cases(which, polling, prefix, "OutOfStock")
    if prefix:
        case(f"{which}: PUT is not deferred", lambda: put_passes(prefix))


main()
