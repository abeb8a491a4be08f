#!/usr/bin/env bash
# curl without any option, before the reverse facade: a plain answer of a service that answers 202.
set -uo pipefail
follow=$(python3 -c 'import json, os; print(json.loads(os.environ["INTEROP"])["follow"])')

# case NAME EXPECTED SEEN
case_() {
    local passed=false
    [[ $3 == "$2" ]] && passed=true
    printf '{"case": "%s", "passed": %s, "seen": "%s", "fault": null}\n' "$1" "$passed" "${3:0:100}"
}

made() {
    python3 -c 'import json, sys; print("made", json.load(sys.stdin)["made"])'
}

case_ fast 'made fast' "$(curl -s -d '{}' "$follow/fast" | made)"
case_ late 'made late' "$(curl -s -d '{}' "$follow/late" | made)"
case_ failure 409 "$(curl -s -o /dev/null -w '%{http_code}' -d '{}' "$follow/fail")"
case_ large 1000000 "$(curl -s -d '{}' "$follow/large" | python3 -c 'import json, sys; print(len(json.load(sys.stdin)["text"]))')"
