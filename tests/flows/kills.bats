#!/usr/bin/env bats
# kill -9 at random moments. KILLS says how many of each (the suite's 8 are a sample).

load ../lib/common
load ../lib/dns
load ../lib/ca

KILLS=${KILLS:-8}

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    start_knot "$PWD/dns" domain.com
    start_ca "$PWD/ca" --dns-server "$DNS_SERVER"
    acme-account register --directory "$CA_DIRECTORY" --ca-file "$CA_FILE" -q -o account.json
}

teardown() {
    stop_all
}

# kill_after MILLISECONDS COMMAND...: starts it, kills it.
kill_after() {
    local pause
    pause=$(printf '0.%03d' "$1")
    shift
    "$@" &
    local pid=$!
    sleep "$pause"
    kill -9 "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
}

no_halves() { # every JSON and PEM file is whole
    local file
    for file in acct.json.d/orders/*.json acct.json.d/authz/*.json acct.json; do
        [ ! -e "$file" ] || jq -e . "$file" >/dev/null
    done
    for file in ./*.pem; do
        [ ! -e "$file" ] || openssl x509 -in "$file" -noout
    done
}

finalized() {
    grep '"resource":"finalize"' "$CA_LOG" | grep '"status":200' | grep -c "\"$1\"" || true
}

@test "ACME-40, ACME-42c, ACME-42d: acme-order run killed: the rerun ends well, one finalized order, no orphan" {
    acme-preauth run -q --subdomains --dns-update "$DNS_SERVER" --tsig-key "$TSIG_KEY" -o authz.json domain.com
    local i
    for ((i = 1; i <= KILLS; i++)); do
        csr-build --new-key ec:P-256 --key-out "k$i" --dns "n$i.domain.com" -o "n$i.csr"
        kill_after $((RANDOM % 45)) acme-order run -q -o "n$i.pem" <"n$i.csr"
        no_halves
        [ -e "n$i.pem" ] || acme-order run -q -o "n$i.pem" <"n$i.csr"
        openssl verify -CAfile "$CA_ROOT" -untrusted "n$i.pem" "n$i.pem"
        [ "$(finalized "n$i.domain.com")" = 1 ]
        [ "$(grep '"resource":"newOrder"' "$CA_LOG" | grep -c "\"n$i.domain.com\"")" = 1 ]
    done
}

# SYSCALLS names the calls; these change what is there, at home and at the CA. write, fsync and unlink can be added.
@test "ACME-39b, FAULT-20, ACME-42a: acme-order run killed before each of its writes and requests: one finalized order, no orphan" {
    strace -qq -e trace=none true 2>/dev/null || skip "this host lets no process trace another"
    acme-preauth run -q --subdomains --dns-update "$DNS_SERVER" --tsig-key "$TSIG_KEY" -o authz.json domain.com
    local call i name killed=0
    for call in ${SYSCALLS:-rename sendto}; do
        for ((i = 1; i <= 40; i++)); do
            name="$call$i.domain.com"
            csr-build --new-key ec:P-256 --key-out "$name.key" --dns "$name" -o n.csr
            run strace -f -qq -o /dev/null -e "trace=$call" -e "inject=$call:signal=KILL:when=$i" \
                acme-order run -q -o "$name.pem" <n.csr
            no_halves
            [ -e "$name.pem" ] || acme-order run -q -o "$name.pem" <n.csr
            openssl verify -CAfile "$CA_ROOT" -untrusted "$name.pem" "$name.pem"
            [ "$(finalized "$name")" = 1 ]
            [ "$(grep '"resource":"newOrder"' "$CA_LOG" | grep -c "\"$name\"")" = 1 ]
            [ "$status" != 0 ] || break # it has fewer than that
            killed=$((killed + 1))
        done
    done
    echo "$killed kills"
    [ "$killed" -ge 10 ]
}

@test "ACME-40: acme-preauth run killed: the rerun ends well and leaves no record behind" {
    local i
    for ((i = 1; i <= KILLS; i++)); do
        kill_after $((RANDOM % 120)) acme-preauth run -q --dns-update "$DNS_SERVER" --tsig-key "$TSIG_KEY" -o "a$i.json" "p$i.domain.com"
        no_halves
        acme-preauth run -q --dns-update "$DNS_SERVER" --tsig-key "$TSIG_KEY" -o "a$i.json" "p$i.domain.com"
        [ "$(jq -r .status "a$i.json")" = valid ]
        [ -z "$(txt_values "_acme-challenge.p$i.domain.com")" ]
    done
}

@test "acme-ca killed while orders are placed: each ends with one certificate" {
    acme-preauth run -q --subdomains --dns-update "$DNS_SERVER" --tsig-key "$TSIG_KEY" -o authz.json domain.com
    local i listen=${CA_DIRECTORY#https://}
    for ((i = 1; i <= KILLS; i++)); do
        csr-build --new-key ec:P-256 --key-out "k$i" --dns "c$i.domain.com" -o "c$i.csr"
        acme-order run -q -o "c$i.pem" <"c$i.csr" 2>/dev/null &
        local client=$!
        sleep "$(printf '0.%03d' $((RANDOM % 40)))"
        kill -9 "$CA_PID"
        wait "$CA_PID" 2>/dev/null || true
        wait "$client" || true
        CA_LISTEN=${listen%/directory} start_ca "$PWD/ca" --dns-server "$DNS_SERVER"
        [ -e "c$i.pem" ] || acme-order run -q -o "c$i.pem" <"c$i.csr"
        openssl verify -CAfile "$CA_ROOT" -untrusted "c$i.pem" "c$i.pem"
        [ "$(acme-ca list --dir ca | jq --arg name "c$i.domain.com" '[.certificates[] | select(.identifiers[0].value == $name)] | length')" = 1 ]
    done
}

@test "CHAL-03b: SIGTERM during validation: the record is removed, the signal is the exit status" {
    set_fault challengeDelay=60
    acme-preauth run -q --dns-update "$DNS_SERVER" --tsig-key "$TSIG_KEY" -o s.json s.domain.com &
    local pid=$!
    wait_for 20 bash -c "kdig @127.0.0.1 -p ${DNS_SERVER##*:} +short TXT _acme-challenge.s.domain.com | grep -q ."
    kill -TERM "$pid"
    local ended=0
    wait "$pid" || ended=$?
    [ "$ended" = 143 ]
    [ -z "$(txt_values _acme-challenge.s.domain.com)" ]
    [ ! -e s.json ]
}
