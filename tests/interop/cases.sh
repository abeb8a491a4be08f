# What the shell's clients share: one line of JSON for each case.

# where NAME: an address that the driver tells of.
where() {
    python3 -c 'import json, os, sys; print(json.loads(os.environ["INTEROP"])[sys.argv[1]])' "$1"
}

# case_ NAME EXPECTED SEEN
case_() {
    local passed=false
    [[ $3 == "$2" ]] && passed=true
    printf '{"case": "%s", "passed": %s, "seen": "%s", "fault": null}\n' "$1" "$passed" "${3:0:100}"
}

# What of a document on standard input a case is about.
made() {
    python3 -c 'import json, sys; print("made", json.load(sys.stdin)["made"])'
}

length() {
    python3 -c 'import json, sys; print(len(json.load(sys.stdin)["text"]))'
}
