"""A WSGI application under the standard library's wsgiref: a server that knows nothing of the facade.

Prints `listening on http://127.0.0.1:PORT` when it is ready.
"""

import hashlib
import socketserver
import sys
import threading
import time
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

# Calls to /held wait until somebody has called /release.
released = threading.Event()


def read(environ):
    left = int(environ.get("CONTENT_LENGTH") or 0)
    while left > 0:
        chunk = environ["wsgi.input"].read(min(left, 65536))
        if not chunk:
            return
        left -= len(chunk)
        yield chunk


def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/fast":
        body = b"answered at once\n"
        start_response(
            "200 OK",
            [
                ("Content-Type", "text/plain"),
                ("Content-Length", str(len(body))),
                ("X-Order", "first"),
                ("Set-Cookie", "a=1"),
                ("Set-Cookie", "b=2"),
                ("X-Order", "second"),
            ],
        )
        return [body]
    if path == "/echo":
        body = b"".join(read(environ))
        start_response("201 Created", [("Content-Type", environ.get("CONTENT_TYPE", "text/plain"))])
        return [body]
    if path == "/held":
        body = b"".join(read(environ))
        released.wait(60)
        start_response("201 Made To Order", [("Content-Type", "text/plain"), ("X-Made-By", "wsgi")])
        return [b"held: ", body, b"\n"]
    if path == "/release":
        released.set()
        start_response("204 No Content", [])
        return []
    if path == "/slow":
        body = b"".join(read(environ))
        time.sleep(float(environ["QUERY_STRING"] or 3))
        start_response("201 Made To Order", [("Content-Type", "text/plain"), ("X-Made-By", "wsgi")])
        return [b"slow: ", body, b"\n"]
    if path == "/upload":
        digest, size = hashlib.sha256(), 0
        for chunk in read(environ):
            digest.update(chunk)
            size += len(chunk)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [f"{size} {digest.hexdigest()}\n".encode()]
    if path == "/download":
        chunk = bytes(range(256)) * 256
        count = int(environ["QUERY_STRING"] or 1600)
        start_response("200 OK", [("Content-Length", str(len(chunk) * count))])
        return (chunk for _ in range(count))
    if path == "/broken":
        raise RuntimeError("this path is broken")
    start_response("404 Not Found", [("Content-Type", "text/plain")])
    return [b"no such path\n"]


class ThreadingServer(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass


port = int(sys.argv[1]) if len(sys.argv) > 1 else 0
with make_server("127.0.0.1", port, application, ThreadingServer, Quiet) as server:
    print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
