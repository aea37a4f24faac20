# shellcheck disable=SC2154 # bench/run sets what is not set here
# The TEAP part of bench/run: the RADIUS side of the relay, with the issuer that answers at once, beside the TLS
# handshakes that the machine can do in the same rounds. Sourced by it; the columns are those of est.bash, and
# "busiest" is the share of a core that the relay's busiest thread had: near 1 it is what holds the others up.
#
# Goals are hostapd's figures with a local CA, measured on the same machine when it made 1,300 handshakes a second.

# write_bench_teap LINE...: the configuration of bench-relay with EST and TEAP; LINEs go into [teap].
write_bench_teap() {
    rm -f pki/relay.db*
    RADIUS_PORT=$(free_port)
    (umask 077 && echo radius-secret >pki/secret)
    ACCOUNT=acct.json CA_ROOT=$PWD/ca-est/root.pem RELAY_DNS='update = ""' RELAY_LIMITS='orders_in_total = 10000000' \
        write_relay_toml pki 'wait = "2s"'
    sed -i "s/^inventory = .*/accept_any = true/; s/^admin = /radius = \"127.0.0.1:$RADIUS_PORT\"\n&/" pki/relay.toml
    printf '[[client]]\naddress = "127.0.0.1"\nsecret_file = "secret"\n[teap]\n' >>pki/relay.toml
    printf '%s\n' "$@" >>pki/relay.toml
}

# start_bench_teap LINE...: bench-relay with it.
start_bench_teap() {
    write_bench_teap "$@"
    bench-relay pki/relay.toml ca-est >relay.ready 2>relay.log &
    RELAY_PID=$!
    STARTED+=("$RELAY_PID")
    wait_for 20 grep -q ready relay.ready
}

teap_load() { # OPTION...
    bench-teap --port "$RADIUS_PORT" --pid "$RELAY_PID" --pki pki "$@"
}

teap_rows() { # CLIENTS TLS
    local what rate p50 p99 cpu limit tls busiest failed goal
    while read -r what rate p50 p99 cpu limit tls busiest failed; do
        case $what in
        enrolment) goal="CPU 3.8 ms, p50 17 ms" ;;
        *) goal="400/s, CPU 2.2 ms, p50 13 ms" ;;
        esac
        printf '%-10s %5s %8s %9s %8s %8s %9s %8s %7s %8s %8s %8s  %s\n' "$what" "$2" "$1" "$rate" "$p50" "$p99" \
            "$limit" "$(ratio "$rate" "$limit")" "$cpu" "$tls" "$(ratio "$tls" "$cpu")" "$busiest" "$goal"
        if ((failed > 0)); then echo "bench/run: $failed conversations failed" >&2; fi
    done < <(teap_load --clients "$1" --tls "$2" --rounds "$est_rounds" --requests "$est_requests")
}

teap() {
    local clients tls where before with each accepted idle
    [[ -e pki/maker.pem ]] || make_pki pki
    touch pki/acct.json
    mkdir -p ca-est
    start_bench_teap
    idle=$(rss_of "$RELAY_PID")
    echo
    echo "TEAP over RADIUS: enrolments of as many devices, then exchanges with their certificates; $est_rounds rounds of $est_requests, medians"
    printf '%-10s %5s %8s %9s %8s %8s %9s %8s %7s %8s %8s %8s  %s\n' operation TLS clients "per s" "p50 ms" "p99 ms" \
        "limit/s" /limit "CPU ms" "TLS ms" TLS/CPU busiest goal
    for tls in 1.2 1.3; do
        for clients in 1 4 16; do teap_rows "$clients" "$tls"; done
    done
    teap_one
    stop_relay

    start_bench_teap 'session_life = "30m"' 'repeat = "5s"' 'sessions = 100000'
    echo
    echo "RSS idle $idle MiB (goal: 10, EST and store included here); $teap_flight conversations held, goal 35 kB each:"
    while read -r where before with each accepted; do
        echo "  in the $where: $before -> $with MiB, $each kB each; then let in: $accepted"
    done < <(teap_load --flight "$teap_flight" --tls 1.3)
    stop_relay
}

# One enrolment and one exchange by teap-enroll, its start included.
teap_one() {
    local wall cpu rss names=(exchange enrolment) i=0
    make_idevid pki teap-one
    cat >one-enrolment <<END
#!/bin/sh
exec teap-enroll -q --radius 127.0.0.1:$RADIUS_PORT --secret-file pki/secret --ca-file pki/tls-root.pem \\
    --cert pki/teap-one.pem --key pki/teap-one.key --csr one.csr -o one.pem
END
    cat >one-exchange <<END
#!/bin/sh
exec teap-enroll -q --radius 127.0.0.1:$RADIUS_PORT --secret-file pki/secret --ca-file pki/tls-root.pem \\
    --cert one.pem --key one.key
END
    chmod +x one-enrolment one-exchange
    rm -f one.key
    csr-build --new-key ec:P-256 --key-out one.key --dns teap-one.iot.domain.com -o one.csr
    ./one-enrolment
    echo
    echo "One conversation by teap-enroll (goals: hostapd's with eapol_test, exchange 0.0131 s, enrolment 0.0171 s)"
    printf '%-16s %8s %8s %8s\n' conversation "wall s" "CPU s" "RSS MiB"
    while read -r wall cpu rss _; do
        printf '%-16s %8s %8s %8s\n' "${names[i]}" "$wall" "$cpu" "$rss"
        i=$((i + 1))
    done < <(bench-measure "$runs" -- ./one-exchange -- ./one-enrolment)
}
