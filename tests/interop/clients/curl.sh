#!/usr/bin/env bash
# curl, as one types it.
set -uo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../cases.sh"
facade=$(where facade)

location() {
    curl -s -D - -o /dev/null -d '{}' "$facade/$1" | tr -d '\r' | sed -n 's/^location: //Ip'
}

case_ fast 200 "$(curl -s -o /dev/null -w '%{http_code}' -d '{}' "$facade/fast")"
case_ late 'made late' "$(curl -s -H 'prefer: wait=20' "$(location late)" | made)"
case_ failure 409 "$(curl -s -o /dev/null -w '%{http_code}' -H 'prefer: wait=20' "$(location fail)")"
never=$(location never)
case_ 'cancel' 202 "$(curl -s -o /dev/null -w '%{http_code}' -X DELETE "$never")"
case_ 'cancelled' 410 "$(curl -s -o /dev/null -w '%{http_code}' -H 'prefer: wait=20' "$never")"
case_ unknown 404 "$(curl -s -o /dev/null -w '%{http_code}' "$facade/operations/$(printf '0%.0s' {1..32})/result")"
case_ large 1000000 "$(curl -s -H 'prefer: wait=20' "$(location large)" | length)"
