# What an operator asks a relay, whose folder is PKI. Needs common.bash, ca.bash, dns.bash and relay.bash.

operator_world() { # the folder of the relay, and a manufacturer with its devices
    cd "$BATS_TEST_TMPDIR" || return
    PKI=$PWD/pki
    make_pki "$PKI"
}

relay() { # a CA, and a relay in front of it
    start_authority
    write_relay_toml "$PKI" 'wait = "200ms"' 'retry_after = "1s"'
    start_relay "$PKI"
}

lone_relay() { # the same with a program that signs
    make_issuer "$PKI"
    write_relay_toml "$PKI" 'wait = "20s"'
    by_program "$PKI" "$PKI/relay.toml"
    start_relay "$PKI"
}

ask_for() { # DEVICE [NAME]: sends a request once; STATUS
    make_csr "${2:-$1.iot.domain.com}" "$1.csr"
    est "$1" simpleenroll -H 'Content-Type: application/pkcs10' --data-binary "@$1.csr"
}

refused() { # DEVICE: sends the request until the answer is another than 202, which is no certificate
    for _ in $(seq 60); do
        ask_for "$1"
        [[ $STATUS == 202 ]] || break
        sleep 0.5
    done
    [[ $STATUS == [45]* ]]
}

gets_certificate() { # DEVICE: by the request of before
    enrol "$1" simpleenroll "$1.csr"
    [ "$STATUS" = 200 ]
}

run_relay() { # VERB [WORD...]: the relay's program with its configuration
    local verb=$1
    shift
    "${PROGRAM:-est-relay}" "$verb" --config "$PKI/${FILE:-relay.toml}" "$@"
}

reload_relay() { # SIGHUP, until it has the new files
    local before
    before=$(grep -c '"msg":"reloaded"' "$PKI/relay.log") || before=0
    kill -HUP "$RELAY_PID"
    wait_for 20 eval "[ \"\$(grep -c '\"msg\":\"reloaded\"' '$PKI/relay.log')\" -gt $before ]"
}

restart_relay() {
    kill "$RELAY_PID"
    wait "$RELAY_PID" || true
    start_relay "$PKI"
}

events() { # [OPTION...]: LIST in lines, TEXT in one, events.json, which are what their schema says
    run_relay events "$@" >list
    run_relay events --json "$@" >events.json
    [ ! -s events.json ] || "$ROOT/tests/lib/check-document" "$ROOT/docs/schema/event.json" <events.json
    clean list
    clean events.json
    cat list
    TEXT=$(tr -s ' \n' ' ' <list)
}

has_event() { # JQ FILTER [OPTION...]: an event is so
    local filter=$1
    shift
    run_relay events --json "$@" | jq -es "any(.[]; $filter)" >/dev/null
}

explain() { # DEVICE: TEXT in one line, document.json
    run_relay explain "$1" >screen
    run_relay explain --json "$1" >document.json
    "$ROOT/tests/lib/check-document" "$ROOT/docs/schema/device.json" <document.json
    clean screen
    cat screen
    TEXT=$(tr -s ' \n' ' ' <screen)
}

as_documented() { # LOG: docs/LOG.md has each of its events and members
    python3 "$ROOT/tests/lib/log_page.py" "$1"
}

status_says() { # PATTERN: of the whole text in one line
    run_relay status >said
    clean said
    cat said
    # shellcheck disable=SC2053
    [[ $(tr -s ' \n' ' ' <said) == $1 ]]
}
