"""Real clients of operations against the facade: each case, what was seen, and whether that is right.

Usage: run.py --programs DIRECTORY --modules DIRECTORY [NAME...]

Called by scripts/interop, which installs what stands in requirements.txt and package.json. With names only those
clients are run.
"""

import argparse
import concurrent.futures
import contextlib
import importlib.metadata
import json
import os
import pathlib
import socket
import subprocess
import sys

HERE = pathlib.Path(__file__).parent
#: More than any client takes, and less than anybody's patience.
PATIENCE = 180


class Client:
    """A client, how it is run, and of which package it is."""

    def __init__(self, name, package, *command):
        self.name, self.package, self.command = name, package, command

    def version(self, modules):
        if self.package.startswith("npm:"):
            manifest = modules / "node_modules" / self.package[4:] / "package.json"
            return json.loads(manifest.read_text())["version"]
        if self.package.startswith("$"):
            said = subprocess.run(
                self.package[1:].split(), capture_output=True, text=True, check=True
            )
            return said.stdout.split()[0 if self.package.startswith("$node") else 1].lstrip("v")
        return importlib.metadata.version(self.package)


CLIENTS = [
    Client("azure-core", "azure-core", "azure_sdk.py", "core", ""),
    Client("azure-mgmt-core", "azure-mgmt-core", "azure_sdk.py", "mgmt", ""),
    Client("azure-core, its dialect", "azure-core", "azure_sdk.py", "core", "/data"),
    Client("azure-mgmt-core, its dialect", "azure-mgmt-core", "azure_sdk.py", "mgmt", "/arm"),
    Client("@azure/core-lro", "npm:@azure/core-lro", "core_lro.mjs", ""),
    Client("@azure/core-lro, its dialect", "npm:@azure/core-lro", "core_lro.mjs", "/data"),
    Client("odatapy", "odatapy", "odata.py"),
    Client("sushy, redfish", "sushy", "redfish_clients.py"),
    Client("@medplum/core", "npm:@medplum/core", "medplum.mjs", "fhir"),
    Client("@medplum/core, R6", "npm:@medplum/core", "medplum.mjs", "fhir", "r6"),
    Client("smart-fetch", "smart-fetch", "smart_fetch.py"),
    Client("google-api-core", "google-api-core", "google_api.py"),
    Client("grpcio", "grpcio", "grpc_stub.py"),
    Client("@grpc/grpc-js", "npm:@grpc/grpc-js", "grpc_js.mjs"),
    Client("requests, urllib", "requests", "plain.py"),
    Client("Node's fetch", "$node --version", "fetch.mjs"),
    Client("requests, google-api-core on the examples", "google-api-core", "examples.py"),
    Client("curl", "$curl --version", "curl.sh"),
    Client("curl, which follows nothing", "$curl --version", "curl_alone.sh"),
]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def started(stack, command, **kwargs):
    """Starts a server, and waits for the address that it says it listens on."""
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **kwargs)
    stack.callback(server.wait)
    stack.callback(server.kill)
    line = server.stdout.readline().strip()
    if not line.startswith("listening on "):
        raise SystemExit(f"{command[0]} said {line!r}")
    return line.removeprefix("listening on ").removeprefix("http://")


def facade(stack, program, *options):
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    command = [program, "--listen", f"127.0.0.1:{port}", "--after", "1s", *options]
    started(stack, [*command, "--public-base", base], env={**os.environ, "RUST_LOG": "warn"})
    return base


def run(client, modules, where):
    """The lines of one client: a result for each case."""
    path = HERE / "clients" / client.command[0]
    program = {".py": [sys.executable], ".mjs": ["node"], ".sh": ["bash"]}[path.suffix]
    if path.suffix == ".mjs":
        # Modules are found from where a file is.
        path = modules / "clients" / client.command[0]
    env = {**os.environ, "INTEROP": json.dumps(where), "PYTHONPATH": str(HERE)}
    command = [*program, str(path), *client.command[1:]]
    try:
        ended = subprocess.run(command, env=env, capture_output=True, text=True, timeout=PATIENCE)
    except subprocess.TimeoutExpired as late:
        ended = subprocess.CompletedProcess(command, None, late.stdout or "", "it took too long")
    lines = [json.loads(line) for line in str(ended.stdout).splitlines() if line.startswith("{")]
    if ended.returncode != 0 or not lines:
        seen = f"ended with {ended.returncode}"
        lines.append({"case": "(all)", "passed": False, "seen": seen, "fault": None})
    return lines, ended.stderr


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--programs", required=True, type=pathlib.Path)
    parser.add_argument("--modules", required=True, type=pathlib.Path)
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    chosen = [client for client in CLIENTS if not options.names or client.name in options.names]
    failed = 0
    with contextlib.ExitStack() as stack:
        program = options.programs / "respond-async-facade"
        upstream = started(stack, [sys.executable, str(HERE / "upstream.py")])
        grpc_upstream = started(stack, [sys.executable, str(HERE / "grpc_upstream.py")])
        dialects = [
            word
            for name in ("arm=/arm", "operation-location=/data", "redfish=/redfish", "odata=/odata", "fhir=/fhir")
            for word in ("--dialect", name)
        ]
        reply = "google.protobuf.StringValue"
        where = {
            "r6": facade(
                stack,
                program,
                *("--upstream", f"http://{upstream}", "--complete", "303", "--dialect", "fhir=/fhir"),
            ),
            "facade": facade(stack, program, "--upstream", f"http://{upstream}", *dialects),
            "grpc": facade(
                stack,
                program,
                *("--upstream", f"h2c://{grpc_upstream}", "--idempotency", "anonymous"),
                *("--grpc-defer", f"/test.Work/Do={reply}"),
                *("--grpc-lro", f"/test.Work/Start={reply}"),
            ).removeprefix("http://"),
        }
        follow = [program, "--follow", "--listen", "127.0.0.1:0"]
        following = started(stack, [*follow, "--upstream", where["facade"]])
        where["follow"] = f"http://{following}"
        examples = options.programs / "examples"
        where["axum"] = started(stack, [examples / "axum", "--port", "0"])
        where["tonic"] = started(stack, [examples / "tonic", "--serve"])
        pool = stack.enter_context(concurrent.futures.ThreadPoolExecutor(max_workers=3))
        running = [(client, pool.submit(run, client, options.modules, where)) for client in chosen]
        print("| client | version | case | seen | |\n| --- | --- | --- | --- | --- |")
        for client, future in running:
            lines, log = future.result()
            version = client.version(options.modules)
            for line in lines:
                verdict = "ok" if line["passed"] else "FAILED"
                if line["fault"]:
                    verdict += f": {line['fault']}"
                print(f"| {client.name} | {version} | {line['case']} | {line['seen']} | {verdict} |")
                failed += not line["passed"]
            if not all(line["passed"] for line in lines):
                print(log, file=sys.stderr)
        total = sum(len(future.result()[0]) for _, future in running)
    print(f"\n{total - failed} of {total} cases passed, of {len(chosen)} clients")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
