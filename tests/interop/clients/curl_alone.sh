#!/usr/bin/env bash
# curl without any option, before the reverse facade: a plain answer of a service that answers 202.
set -uo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../cases.sh"
follow=$(where follow)

case_ fast 'made fast' "$(curl -s -d '{}' "$follow/fast" | made)"
case_ late 'made late' "$(curl -s -d '{}' "$follow/late" | made)"
case_ failure 409 "$(curl -s -o /dev/null -w '%{http_code}' -d '{}' "$follow/fail")"
case_ large 1000000 "$(curl -s -d '{}' "$follow/large" | length)"
