"""sushy and DMTF's redfish: clients of Redfish, which poll the task monitor in `Location`."""

import time

import redfish.rest.v1
from cases import FACADE, case, equal, raises
from sushy import connector, exceptions
from sushy.taskmonitor import TaskMonitor

CONNECTOR = connector.Connector(FACADE, server_side_retries=1)


def start(path):
    response = CONNECTOR.post(f"/redfish/{path}", data={})
    if response.status_code != 202:
        return response, None
    monitor = TaskMonitor.from_response(CONNECTOR, response, f"/redfish/{path}")
    return response, monitor


def ended(path):
    response, monitor = start(path)
    equal(response.status_code, 202)
    equal(monitor.task is not None, True)
    while monitor.check_is_processing:
        time.sleep(float(monitor.sleep_for) / 4)
    return monitor.response


def blocking():
    """Its `wait` gives the text of Retry-After to `time.sleep`."""
    _, monitor = start("late")
    return raises(TypeError, lambda: monitor.wait(20))


def canceled():
    _, monitor = start("never")
    equal(monitor.cancellable, True)
    CONNECTOR.delete(monitor.task_monitor_uri)

    def poll():
        while monitor.check_is_processing:
            time.sleep(0.05)

    return raises(exceptions.HTTPError, poll)


def unknown():
    return raises(
        exceptions.ResourceNotFoundError,
        lambda: CONNECTOR.get(f"/redfish/operations/{'0' * 32}"),
    )


def conflict():
    def holds(error):
        equal(error.status_code, 409)
        return True

    return raises(exceptions.HTTPError, lambda: ended("fail"), holds)


case("sushy: fast", lambda: equal(start("fast")[0].json()["made"], "fast"))
case("sushy: late", lambda: equal(ended("late").json()["made"], "late"))
case("sushy: failure", conflict)
case("sushy: cancel", canceled)
case("sushy: unknown", unknown)
case("sushy: large", lambda: equal(len(ended("large").json()["text"]), 1_000_000))
case("sushy: blocking wait", blocking, fault="it sleeps for a text, and raises TypeError")


class Dmtf(redfish.rest.v1.HttpClient):
    """Without the login, which is none of ours."""

    def _get_root_object(self) -> None:
        self.root = {}


def dmtf():
    return Dmtf(base_url=FACADE, default_prefix="/redfish/")


def by_dmtf(path):
    client = dmtf()
    response = client.post(f"/redfish/{path}", body={})
    monitored = response
    while monitored.is_processing:
        monitored = monitored.monitor(client)
        if monitored.is_processing:
            time.sleep(monitored.retry_after / 4)
    return response.status, monitored


def dmtf_made(path, status):
    first, last = by_dmtf(path)
    equal(first, status)
    return last.dict


def dmtf_failure():
    _, last = by_dmtf("fail")
    equal(last.dict["error"]["code"], "OutOfStock")
    return equal(last.status, 409)


def dmtf_canceled():
    client = dmtf()
    response = client.post("/redfish/never", body={})
    deleted = client.delete(response.task_location)
    assert deleted.status in (200, 202, 204), deleted.status
    last = response.monitor(client)
    while last.is_processing:
        time.sleep(0.05)
        last = last.monitor(client)
    assert last.status >= 400, last.status
    return last.status


def dmtf_unknown():
    return equal(dmtf().get(f"/redfish/operations/{'0' * 32}").status, 404)


case("redfish: fast", lambda: equal(dmtf_made("fast", 200)["made"], "fast"))
case("redfish: late", lambda: equal(dmtf_made("late", 202)["made"], "late"))
case("redfish: failure", dmtf_failure)
case("redfish: cancel", dmtf_canceled)
case("redfish: unknown", dmtf_unknown)
case("redfish: large", lambda: equal(len(dmtf_made("large", 202)["text"]), 1_000_000))
