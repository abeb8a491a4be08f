"""A slow server that knows nothing of operations: what stands behind the facade.

Only the last segment of a path counts, so that any prefix can stand for a dialect:

    /fast     at once
    /late     after a moment
    /fail     after a moment, 409 and an error
    /large    after a moment, a megabyte
    /never    after a minute

and for FHIR's bulk export, below `/fhir`:

    /metadata, /$export, /files/Patient.ndjson

Usage: upstream.py    says `listening on ADDR:PORT` when it is ready
"""

import http.server
import json
import time

MOMENT = 2.0
LARGE = "x" * 1_000_000


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        length = int(self.headers.get("content-length") or 0)
        sent = self.rfile.read(length)
        path = self.path.split("?")[0]
        last = path.rsplit("/", 1)[-1]
        status, document = 200, {"made": last, "sent": len(sent)}
        if last in ("late", "fail", "large"):
            time.sleep(MOMENT)
        if last == "never":
            time.sleep(60)
        if last == "fail":
            status = 409
            document = {"error": {"code": "OutOfStock", "message": "There is none left."}}
        if last == "large":
            document["text"] = LARGE
        content_type = "application/json"
        if "/fhir/" in path:
            content_type = "application/fhir+json"
            document = fhir(last, document)
        if "/fhir" in path and last in ("metadata", "$export", "Patient.ndjson"):
            document = self.exported(path, last)
        if "/odata/" in path and last != "fail":
            document = {"@odata.context": "$metadata#Made", **document}
        if last == "Patient.ndjson":
            content_type = "application/fhir+ndjson"
        if last == "$export":
            content_type = "application/json"
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def exported(self, path, last):
        """A server with one patient, whose export takes a moment."""
        root = f"http://{self.headers['host']}{path.rsplit('/', 1)[0]}"
        if last == "metadata":
            return {"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1", "status": "active"}
        if last == "Patient.ndjson":
            return {"resourceType": "Patient", "id": "p"}
        time.sleep(MOMENT)
        return {
            "transactionTime": "2026-11-28T12:00:00Z",
            "request": f"{root}/$export",
            "requiresAccessToken": False,
            "output": [{"type": "Patient", "url": f"{root}/files/Patient.ndjson"}],
            "error": [],
        }

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

    def log_message(self, *_):
        pass


def fhir(last, document):
    """The same as FHIR has it."""
    if last == "fail":
        issue = {"severity": "error", "code": "conflict", "diagnostics": "There is none left."}
        return {"resourceType": "OperationOutcome", "issue": [issue]}
    parameter = [{"name": "made", "valueString": last}]
    if "text" in document:
        parameter.append({"name": "text", "valueString": document["text"]})
    return {"resourceType": "Parameters", "parameter": parameter}


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


if __name__ == "__main__":
    server = Server(("127.0.0.1", 0), Handler)
    print(f"listening on 127.0.0.1:{server.server_address[1]}", flush=True)
    server.serve_forever()
