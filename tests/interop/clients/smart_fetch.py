"""smart-fetch: a client of FHIR's bulk export, run as its users run it."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

from cases import FACADE, case, equal

PROGRAM = pathlib.Path(sys.executable).with_name("smart-fetch")


def run(folder, *options):
    command = [PROGRAM, "bulk", folder, "--fhir-url", f"{FACADE}/fhir", "--type", "Patient"]
    command += ["--no-compression", *options]
    env = {**os.environ, "NO_COLOR": "1"}
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=env)


def exported():
    with tempfile.TemporaryDirectory() as folder:
        ended = run(folder)
        print(ended.stdout, ended.stderr, file=sys.stderr)
        equal(ended.returncode, 0)
        # It asks for the export to be deleted once it has all, and complains unless that is a 202.
        equal("Failed to clean up" in ended.stderr, False)
        files = sorted(pathlib.Path(folder).rglob("Patient*.ndjson*"))
        equal(len(files), 1)
        return equal(json.loads(files[0].read_text())["id"], "p")


case("an export, from its kick-off to its deletion", exported)
