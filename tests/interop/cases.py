"""What the Python clients share: one line of JSON for each case."""

import json
import os
import traceback

WHERE = json.loads(os.environ["INTEROP"])
FACADE = WHERE["facade"]


def case(name, check, fault=None):
    """Runs `check`, which returns what it saw, or raises.

    With `fault`, a fault of the client's own, whose name it is: then it is `check` that has to show it.
    """
    try:
        seen, passed = check(), True
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the case's result
        seen, passed = f"{type(error).__name__}: {error}", False
        traceback.print_exc()
    line = {"case": name, "passed": passed, "seen": str(seen)[:200], "fault": fault}
    print(json.dumps(line), flush=True)


def raises(error_type, call, holds=lambda error: True):
    """What `call` raises."""
    try:
        result = call()
    except error_type as error:
        assert holds(error), f"{type(error).__name__}: {error}"
        return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    raise AssertionError(f"no {error_type.__name__}, but {str(result)[:200]}")


def equal(seen, expected):
    assert seen == expected, f"{str(seen)[:300]!r} instead of {str(expected)[:300]!r}"
    return seen if len(str(seen)) < 200 else f"{len(seen)} long"
