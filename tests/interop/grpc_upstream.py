"""A slow gRPC server that knows nothing of operations: what stands behind the facade.

Each method takes a `google.protobuf.StringValue` that says what to do (as the paths of upstream.py), and returns
one:

    /test.Work/Do       deferred by the facade
    /test.Work/Start    returns operations to the facade's callers
    /test.Work/Other    not listed

Usage: grpc_upstream.py    says `listening on ADDR:PORT` when it is ready
"""

import concurrent.futures
import time

import grpc
from google.protobuf import wrappers_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

MOMENT = 2.0


def work(request, context):
    what = request.value
    if what in ("late", "fail", "large"):
        time.sleep(MOMENT)
    if what == "never":
        for _ in range(600):
            if not context.is_active():
                break
            time.sleep(0.1)
    if what == "fail":
        info = error_details_pb2.ErrorInfo(reason="OUT_OF_STOCK", domain="test")
        status = status_pb2.Status(code=grpc.StatusCode.FAILED_PRECONDITION.value[0])
        status.message = "There is none left."
        status.details.add().Pack(info)
        context.abort_with_status(rpc_status.to_status(status))
    context.set_trailing_metadata((("x-made", what),))
    return wrappers_pb2.StringValue(value="x" * 1_000_000 if what == "large" else f"made {what}")


def main():
    handler = grpc.unary_unary_rpc_method_handler(
        work,
        request_deserializer=wrappers_pb2.StringValue.FromString,
        response_serializer=wrappers_pb2.StringValue.SerializeToString,
    )
    methods = {name: handler for name in ("Do", "Start", "Other")}
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(max_workers=32))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Work", methods),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(f"listening on 127.0.0.1:{port}", flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    main()
