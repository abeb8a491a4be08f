"""grpcio: what a stub sees that knows nothing of operations."""

import grpc
from cases import WHERE, case, equal
from google.protobuf import wrappers_pb2

CHANNEL = grpc.insecure_channel(
    WHERE["grpc"], options=[("grpc.max_receive_message_length", 8 << 20)]
)


def method(name):
    return CHANNEL.unary_unary(
        f"/test.Work/{name}",
        request_serializer=wrappers_pb2.StringValue.SerializeToString,
        response_deserializer=wrappers_pb2.StringValue.FromString,
    )


DO, OTHER = method("Do"), method("Other")


def text(value):
    return wrappers_pb2.StringValue(value=value)


def made(stub, what, **kwargs):
    reply, call = stub.with_call(text(what), **kwargs)
    equal(dict(call.trailing_metadata())["x-made"], what)
    return reply.value


def error(stub, what, **kwargs):
    try:
        stub(text(what), **kwargs)
    except grpc.RpcError as error:
        return error
    raise AssertionError("no error")


def late():
    seen = error(DO, "late")
    assert dict(seen.trailing_metadata())["operation-name"].startswith("operations/")
    return equal(seen.code(), grpc.StatusCode.DEADLINE_EXCEEDED)


def before_its_own_deadline():
    """The name is there, which it is not if the client gives up by itself."""
    seen = error(DO, "never", timeout=0.15)
    assert "operation-name" in dict(seen.trailing_metadata()), seen
    return equal(seen.code(), grpc.StatusCode.DEADLINE_EXCEEDED)


def failure(stub):
    seen = error(stub, "fail")
    equal(seen.details(), "There is none left.")
    return equal(seen.code(), grpc.StatusCode.FAILED_PRECONDITION)


def keyed():
    key = (("idempotency-key", '"k"'),)
    first = [made(DO, "fast", metadata=key) for _ in range(2)]
    return equal(first, ["made fast"] * 2)


def compressed():
    return equal(made(DO, "fast", compression=grpc.Compression.Gzip), "made fast")


case("fast", lambda: equal(made(DO, "fast"), "made fast"))
case("late", late)
case("late, with a deadline of its own", before_its_own_deadline)
case("compressed request", compressed)
case("idempotency-key", keyed)
case("not listed: late", lambda: equal(made(OTHER, "late"), "made late"))
case("not listed: failure", lambda: failure(OTHER))
case("not listed: large", lambda: equal(len(OTHER(text("large")).value), 1_000_000))
