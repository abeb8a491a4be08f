"""google-api-core over gRPC: `OperationsClient` and the future of `google.api_core.operation`."""

import functools
import uuid

import grpc
from cases import WHERE, case, equal, raises
from google.api_core import exceptions, grpc_helpers, operation
from google.api_core.operations_v1 import OperationsClient
from google.longrunning import operations_pb2
from google.protobuf import wrappers_pb2
from grpc_status import rpc_status

CHANNEL = grpc.insecure_channel(
    WHERE["grpc"], options=[("grpc.max_receive_message_length", 8 << 20)]
)
OPERATIONS = OperationsClient(CHANNEL)


def method(name, reply):
    stub = CHANNEL.unary_unary(
        f"/test.Work/{name}",
        request_serializer=wrappers_pb2.StringValue.SerializeToString,
        response_deserializer=reply.FromString,
    )
    return grpc_helpers.wrap_errors(stub)


DO = method("Do", wrappers_pb2.StringValue)
START = method("Start", operations_pb2.Operation)


def text(value):
    return wrappers_pb2.StringValue(value=value)


def future(told):
    return operation.from_gapic(told, OPERATIONS, wrappers_pb2.StringValue)


def late(what):
    """The operation in the details of a late call's error."""
    try:
        DO(text(what))
    except exceptions.DeadlineExceeded as error:
        status = rpc_status.from_call(error.errors[0])
        told = operations_pb2.Operation()
        assert status.details[0].Unpack(told), status
        trailing = dict(error.errors[0].trailing_metadata())
        equal(trailing["operation-name"], told.name)
        return told
    raise AssertionError("it is not late")


def failed(running):
    def holds(error):
        equal(error.message, "There is none left.")
        return True

    return raises(exceptions.GoogleAPICallError, running.result, holds)


def canceled(running):
    equal(running.cancel(), True)
    raises(exceptions.Cancelled, running.result)
    return equal(running.cancelled(), True)


def unknown():
    name = f"operations/{uuid.uuid4().hex}"
    return raises(exceptions.NotFound, functools.partial(OPERATIONS.get_operation, name))


def deleted():
    running = future(late("late"))
    running.result()
    OPERATIONS.delete_operation(running.operation.name)
    return raises(
        exceptions.NotFound, functools.partial(OPERATIONS.get_operation, running.operation.name)
    )


case("deferred: fast", lambda: equal(DO(text("fast")).value, "made fast"))
case("deferred: late", lambda: equal(future(late("late")).result().value, "made late"))
case("deferred: failure", lambda: failed(future(late("fail"))))
case("deferred: cancel", lambda: canceled(future(late("never"))))
case("deferred: unknown", unknown)
case("deferred: delete", deleted)
case("deferred: large", lambda: equal(len(future(late("large")).result().value), 1_000_000))
case("AIP-151: fast", lambda: equal(future(START(text("fast"))).result().value, "made fast"))
case("AIP-151: late", lambda: equal(future(START(text("late"))).result().value, "made late"))
case("AIP-151: failure", lambda: failed(future(START(text("fail")))))
case("AIP-151: cancel", lambda: canceled(future(START(text("never")))))
case("AIP-151: large", lambda: equal(len(future(START(text("large"))).result().value), 1_000_000))
