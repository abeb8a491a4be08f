#!/usr/bin/env bash
# curl, as one types it.
set -uo pipefail
facade=$(python3 -c 'import json, os; print(json.loads(os.environ["INTEROP"])["facade"])')

# case NAME EXPECTED SEEN
case_() {
    local passed=false
    [[ $3 == "$2" ]] && passed=true
    printf '{"case": "%s", "passed": %s, "seen": "%s", "fault": null}\n' "$1" "$passed" "${3:0:100}"
}


where() {
    curl -s -D - -o /dev/null -d '{}' "$facade/$1" | tr -d '\r' | sed -n 's/^location: //Ip'
}

case_ fast 200 "$(curl -s -o /dev/null -w '%{http_code}' -d '{}' "$facade/fast")"
case_ late 'made late' "$(curl -s -H 'prefer: wait=20' "$(where late)" | python3 -c 'import json, sys; print("made", json.load(sys.stdin)["made"])')"
case_ failure 409 "$(curl -s -o /dev/null -w '%{http_code}' -H 'prefer: wait=20' "$(where fail)")"
never=$(where never)
case_ 'cancel' 202 "$(curl -s -o /dev/null -w '%{http_code}' -X DELETE "$never")"
case_ 'cancelled' 410 "$(curl -s -o /dev/null -w '%{http_code}' -H 'prefer: wait=20' "$never")"
case_ unknown 404 "$(curl -s -o /dev/null -w '%{http_code}' "$facade/operations/$(printf '0%.0s' {1..32})/result")"
case_ large 1000000 "$(curl -s -H 'prefer: wait=20' "$(where large)" | python3 -c 'import json, sys; print(len(json.load(sys.stdin)["text"]))')"
