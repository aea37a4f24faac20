#!/usr/bin/env bats
# acme-order renew and renewal-info: certificates kept alive by cron and systemd.

load ../lib/common
load ../lib/dns
load ../lib/ca
load ../lib/client

bats_require_minimum_version 1.5.0

setup_file() {
    client_world
}

teardown_file() {
    client_world_ends
}

setup() {
    client_test
    export ACMETOOL_ACCOUNT=$FILES/acct.json
}

teardown() {
    stop_all
}

serial_of() {
    openssl x509 -in "$1" -noout -serial
}

orders() { # how many orders the CA has taken
    requests newOrder
}

hook() { # STATUS: a deploy hook that counts its calls and says whom it is for
    printf '#!/bin/sh\necho "$ACMETOOL_CERT $ACMETOOL_NAMES" >>"%s/calls"\nexit %s\n' "$PWD" "$1" >deploy
    chmod +x deploy
}

# ari: the same CA with the renewal information of ari.json, and an account there.
ari() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout tls.key -out tls.pem -subj "/CN=ari" \
        -addext "subjectAltName=IP:127.0.0.1" -days 2 2>/dev/null
    cat "$CA_FILE" tls.pem >trust.pem
    curl -sf --cacert "$CA_FILE" "$CA_DIRECTORY" >directory.json
    : >ari.log
    python3 "$ROOT/tests/lib/ari_server.py" tls.pem tls.key directory.json ari.json ari.log >ari.port &
    STARTED+=($!)
    wait_for 10 grep -q . ari.port
    ARI_DIRECTORY="https://127.0.0.1:$(cat ari.port)/directory"
    export ACMETOOL_ACCOUNT=$PWD/acct.json
    cp "$FILES/acct.key" acct.key
    jq --arg d "$ARI_DIRECTORY" --arg c "$PWD/trust.pem" '.directory = $d | .caFile = $c' "$FILES/acct.json" >acct.json
    chmod 600 acct.json acct.key
}

window() { # START END: as date(1) reads them
    jq -n --arg s "$(date -u -d "$1" +%FT%TZ)" --arg e "$(date -u -d "$2" +%FT%TZ)" \
        '{suggestedWindow: {start: $s, end: $e}, explanationURL: "https://ca.example/why"}' >ari.json
}

asked() {
    wc -l <ari.log
}

@test "ACME-43a: the first certificate, nothing due, due by a share of its life; --check, --detailed-exitcode" {
    run acme-order renew --check --csr c.csr -o c.pem
    [ "$status" = 0 ]
    [ ! -e c.pem ]
    acme-order renew -q --json -o c.pem <c.csr >r.json
    jq -e --arg n "$NAME" '.type == "renewal" and .changed and .certificates[0].changed and
        .certificates[0].identifiers == [{type: "dns", value: $n}] and .certificates[0].renewBy == "lifetime"' r.json
    openssl verify -CAfile "$CA_ROOT" -untrusted c.pem c.pem
    cp c.pem first.pem
    # The CA is asked once whether it has renewal information; then nothing is.
    run acme-order renew --detailed-exitcode --csr c.csr -o c.pem
    [ "$status" = 2 ]
    [ -z "$output" ]
    local before
    before=$(wc -l <"$CA_LOG")
    run acme-order renew --json --csr c.csr -o c.pem
    [ "$status" = 0 ]
    [[ "$output" == *'"changed": false'* ]]
    run acme-order renew --check --csr c.csr -o c.pem
    [ "$status" = 1 ]
    [ "$before" = "$(wc -l <"$CA_LOG")" ]
    cmp c.pem first.pem
    run acme-order renew --check --csr c.csr -o c.pem --before 4000d
    [ "$status" = 0 ]
    acme-order renew -q --key k -o c.pem --before 4000d
    [ "$(serial_of c.pem)" != "$(serial_of first.pem)" ]
    openssl x509 -in c.pem -noout -ext subjectAltName | grep -F "$NAME"
    # Another name in the request is a reason, too.
    acme-order renew -q --key k --dns "$NAME" --dns "more.$NAME" -o c.pem
    openssl x509 -in c.pem -noout -ext subjectAltName | grep -F "more.$NAME"
}

@test "renew: usage, input and configuration errors; what is no certificate is not overwritten; --check says 255" {
    local case
    for case in "64 noOutput --csr c.csr" "64 severalSources --csr c.csr --key k -o c.pem" "64 noNames --key k -o c.pem" \
        "64 noKey --csr c.csr --dns x.domain.com -o c.pem" "64 outputOfMany --config-dir . -o c.pem" \
        "78 noDirectory --config-dir nowhere" "65 notACsr --csr k -o c.pem" "78 noAccount --account no.json --csr c.csr -o c.pem"; do
        read -ra words <<<"$case"
        run acme-order renew --json "${words[@]:2}"
        echo "$case: $output"
        [ "$status" = "${words[0]}" ]
        [[ "$output" == *"\"code\": \"${words[1]}\""* ]]
        [ ! -e c.pem ]
    done
    echo "my diary" >c.pem
    run acme-order renew --csr c.csr -o c.pem
    [ "$status" = 65 ]
    [ "$(cat c.pem)" = "my diary" ]
    run acme-order renew --check --csr c.csr -o c.pem
    [ "$status" = 255 ]
}

@test "EXT-02a, EXT-02c, EXT-03b: the CA's window decides; it is asked when it said, unsigned, and not after expiry" {
    ari
    acme-order renew -q --csr c.csr -o c.pem
    [ "$(asked)" = 0 ]
    cp c.pem first.pem
    window "+1 day" "+2 days"
    echo 3600 >ari.json.retry
    acme-order renewal-info -o info.json <c.pem
    jq -e '.type == "renewal-info" and .retryAfter == 3600 and .explanationURL == "https://ca.example/why" and
        .suggestedWindow.start < .suggestedWindow.end' info.json
    "$ROOT/tests/lib/check-document" "$ROOT/docs/schema/renewal-info.json" <info.json
    [ "$(cat ari.log)" = "$(jq -r .certID info.json) plain" ]
    acme-order renew --json --csr c.csr -o c.pem >r.json
    jq -e --slurpfile i info.json '.changed == false and .certificates[0].renewBy == "renewalInfo" and
        .certificates[0].renewAt > $i[0].suggestedWindow.start and .certificates[0].renewAt < $i[0].suggestedWindow.end' r.json
    [ "$(asked)" = 2 ]
    # The moment is kept, and the CA left in peace, until the time that it named.
    acme-order renew --json --csr c.csr -o c.pem >again.json
    [ "$(asked)" = 2 ]
    [ "$(jq -c .certificates r.json)" = "$(jq -c .certificates again.json)" ]
    run acme-order renew --check --csr c.csr -o c.pem
    [ "$status" = 1 ]
    run at_clock +2h acme-order renew --check --csr c.csr -o c.pem
    [ "$status" = 0 ]
    window "-2 days" "-1 day"
    at_clock +2h acme-order renew -q --csr c.csr -o c.pem
    [ "$(asked)" = 3 ]
    [ "$(serial_of c.pem)" != "$(serial_of first.pem)" ]
    run at_clock +4000d acme-order renewal-info --json <c.pem
    [ "$status" != 0 ]
    [ "$(asked)" = 3 ]
    # What was replaced is asked for no more.
    window "+1 day" "+2 days"
    acme-order renew -q --csr c.csr -o c.pem
    [ "$(grep -c "^$(jq -r .certID info.json) " ari.log)" = 3 ]
    [ "$(tail -n 1 ari.log)" = "$(acme-order renewal-info --json <c.pem | jq -r .certID) plain" ]
}

@test "EXT-02a, EXT-03d: a window that the CA told holds while the CA does not answer" {
    ari
    acme-order renew -q --csr c.csr -o c.pem
    window "+12 hours" "+1 day"
    echo 3600 >ari.json.retry
    acme-order renew --json --csr c.csr -o c.pem >r.json
    rm ari.json
    at_clock +2h acme-order renew --json --csr c.csr -o c.pem >none.json
    [ "$(asked)" = 2 ]
    [ "$(jq -c '.certificates[0] | [.renewBy, .renewAt]' r.json)" = "$(jq -c '.certificates[0] | [.renewBy, .renewAt]' none.json)" ]
    # Asked again after six hours.
    at_clock +7h acme-order renew -q --csr c.csr -o c.pem
    [ "$(asked)" = 2 ]
    cp c.pem first.pem
    at_clock +25h acme-order renew -q --csr c.csr -o c.pem
    [ "$(serial_of c.pem)" != "$(serial_of first.pem)" ]
}

@test "EXT-03b: two certificates with one window are not renewed at one time" {
    ari
    acme-order renew -q --csr c.csr -o c.pem
    acme-order renew -q --csr c.csr -o d.pem
    window "+1 day" "+3 days"
    local file
    for file in c d; do acme-order renew --json --csr c.csr -o "$file.pem" >"$file.json"; done
    jq -se 'map(.certificates[0]) | all(.[]; .renewBy == "renewalInfo") and .[0].renewAt != .[1].renewAt' c.json d.json
}

@test "EXT-03c: Retry-After counts from a minute to a day" {
    ari
    acme-order renew -q --csr c.csr -o c.pem
    window "+1 day" "+2 days"
    local said
    for said in 1:60 59:60 3601:3601 86401:86400 31000000:86400; do
        echo "${said%:*}" >ari.json.retry
        acme-order renewal-info --json <c.pem | jq -e ".retryAfter == ${said#*:}"
    done
    # renew obeys it, too.
    echo 1 >ari.json.retry
    : >ari.log
    acme-order renew -q --csr c.csr -o c.pem
    at_clock +30s acme-order renew -q --csr c.csr -o c.pem
    [ "$(asked)" = 1 ]
    at_clock +90s acme-order renew -q --csr c.csr -o c.pem
    [ "$(asked)" = 2 ]
}

@test "EXT-02b, EXT-03a, EXT-03d: a window that ends before it begins, nonsense and 404 are no answer: the share decides, asked again later" {
    ari
    acme-order renew -q --csr c.csr -o c.pem
    local bad
    for bad in '{"suggestedWindow":{"start":"2026-01-02T00:00:00Z","end":"2026-01-01T00:00:00Z"}}' '[]' '{"suggestedWindow":7}' ''; do
        echo "$bad" >ari.json
        [ -n "$bad" ] || rm ari.json
        run acme-order renewal-info --json --ca-file trust.pem --directory "$ARI_DIRECTORY" --account none.json <c.pem
        echo "$output"
        if [ -n "$bad" ]; then
            [ "$status" = 76 ]
            [[ "$output" == *badRenewalInfo* ]]
        else
            [ "$status" = 77 ]
        fi
    done
    : >ari.log
    run acme-order renew --detailed-exitcode --csr c.csr -o c.pem
    [ "$status" = 2 ]
    acme-order renew -q --csr c.csr -o c.pem
    [ "$(asked)" = 1 ]
    at_clock +355m acme-order renew -q --csr c.csr -o c.pem
    [ "$(asked)" = 1 ]
    at_clock +6h acme-order renew -q --csr c.csr -o c.pem
    [ "$(asked)" = 2 ]
    set_fault missing=renewalInfo
    run acme-order renewal-info --json --ca-file "$CA_FILE" --directory "$CA_DIRECTORY" --account without.json <c.pem
    set_fault missing=off
    echo "$output"
    [ "$status" = 69 ]
    [[ "$output" == *renewalInfoUnsupported* ]]
}

@test "EXT-02a, EXT-04a, EXT-04b: acme-ca's own window decides, the order says what it replaces, and not where the CA refuses that" {
    acme-order renew -q --csr c.csr -o c.pem
    cp c.pem first.pem
    set_fault renewalInfo=past
    acme-order renew -q --json --csr c.csr -o c.pem >r.json
    set_fault renewalInfo=off
    jq -e .changed r.json # with six of its seven days left
    [ "$(serial_of c.pem)" != "$(serial_of first.pem)" ]
    replaced() { # the serial of what replaced the first one, by acme-ca's own list
        acme-ca list --dir "$FILES/ca" | jq -r --arg s "$(serial_of first.pem)" \
            '.certificates[] | select(.serial == ($s | ascii_downcase | sub("serial="; ""))) | .replacedBy'
    }
    local first
    first=$(replaced)
    [ -n "$first" ] && [ "$first" != null ]
    # A second renewal of it: 409, and once more without.
    local before
    before=$(orders)
    cp first.pem c.pem
    acme-order renew -q --csr c.csr -o c.pem --before 4000d
    [ "$(serial_of c.pem)" != "$(serial_of first.pem)" ]
    [ "$(orders)" = $((before + 2)) ]
    grep '"resource":"newOrder"' "$CA_LOG" | tail -n 2 | head -n 1 | grep -F '"status":409'
    [ "$(replaced)" = "$first" ]
}

@test "EXT-04a: an order says nothing of what it replaces where the CA has no renewalInfo" {
    acme-order renew -q --csr c.csr -o c.pem
    cp c.pem first.pem
    set_fault missing=renewalInfo
    acme-order renew -q --state fresh --csr c.csr -o c.pem --before 4000d
    set_fault missing=off
    [ "$(serial_of c.pem)" != "$(serial_of first.pem)" ]
    acme-ca list --dir "$FILES/ca" | jq -e --arg s "$(serial_of first.pem)" \
        '[.certificates[] | select(.serial == ($s | ascii_downcase | sub("serial="; ""))) | .replacedBy // ""] == [""]'
}

@test "renew: a deploy hook that fails has its own code, the certificate stays, and the next run calls it again" {
    hook 3
    run acme-order renew --json --csr c.csr -o c.pem --deploy-hook ./deploy
    echo "$output"
    [ "$status" = 78 ]
    [[ "$output" == *'"code": "deployHookFailed"'* ]]
    openssl verify -CAfile "$CA_ROOT" -untrusted c.pem c.pem
    cp c.pem first.pem
    run acme-order renew --check --csr c.csr -o c.pem --deploy-hook ./deploy
    [ "$status" = 0 ]
    hook 0
    acme-order renew --json --csr c.csr -o c.pem --deploy-hook ./deploy >r.json
    jq -e '.changed == false and .certificates[0].deployed' r.json
    cmp c.pem first.pem
    [ "$(sort -u calls)" = "$PWD/c.pem $NAME" ]
    acme-order renew -q --csr c.csr -o c.pem --deploy-hook ./deploy
    [ "$(wc -l <calls)" = 2 ]
}

@test "FLD-A14: a deploy hook gets the variables that --hook-env names" {
    printf '#!/bin/sh\necho "$API_TOKEN,$API_SECRET" >"%s/seen"\n' "$PWD" >deploy
    chmod +x deploy
    API_TOKEN=one API_SECRET=two acme-order renew -q --csr c.csr -o c.pem --deploy-hook ./deploy --hook-env API_TOKEN
    [ "$(cat seen)" = one, ]
}

@test "FAULT-20: two runs at once on one name order once; killed before the hook's end, the next run calls it" {
    hook 0
    local before pids=()
    before=$(orders)
    for _ in 1 2 3; do
        acme-order renew -q --csr c.csr -o c.pem --deploy-hook ./deploy &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do wait "$pid"; done
    [ "$(orders)" = $((before + 1)) ]
    [ "$(wc -l <calls)" = 1 ]
    printf '#!/bin/sh\necho $$ >"%s/began"\nexec sleep 60\n' "$PWD" >deploy
    acme-order renew -q --csr c.csr -o c.pem --deploy-hook ./deploy --before 4000d &
    local pid=$!
    wait_for 20 grep -q . began
    kill -9 "$pid"
    wait "$pid" || true
    kill -9 "$(cat began)"
    cp c.pem killed.pem
    hook 0
    acme-order renew -q --csr c.csr -o c.pem --deploy-hook ./deploy
    [ "$(wc -l <calls)" = 2 ]
    cmp c.pem killed.pem
    [ "$(orders)" = $((before + 2)) ]
}

@test "FAULT-20: a certificate that could not be written is kept, and put into its place by the next run" {
    local before
    before=$(orders)
    mkdir d
    printf 'csr = "c.csr"\noutput = "later/c.pem"\n' >d/1.toml
    run acme-order renew --json --config-dir d
    echo "$output"
    [ "$status" = 73 ]
    mkdir later
    acme-order renew -q --config-dir d
    openssl verify -CAfile "$CA_ROOT" -untrusted later/c.pem later/c.pem
    [ "$(orders)" = $((before + 1)) ]
}

@test "renew --config-dir: a file for each certificate; one that fails stops none of the others; metrics" {
    mkdir d
    local i
    for i in 1 3; do
        csr-build --new-key ec:P-256 --key-out "k$i" --dns "m$i.$NAME" -o "c$i.csr"
        printf 'csr = "%s"\noutput = "%s"\n' "c$i.csr" "c$i.pem" >"d/$i.toml"
    done
    printf 'key = "k"\ndns = ["stranger.example"]\noutput = "c2.pem"\n' >d/2.toml
    printf 'key = "k"\noutputs = "c4.pem"\n' >d/4.toml
    printf 'key = "k"\noutput = "c5.pem"\nmetrics-file = "x"\n' >d/5.toml
    run --separate-stderr acme-order renew --json --config-dir d --metrics-file m.prom
    echo "$output $stderr"
    [ "$status" = 79 ]
    [[ "$output" == *'"code": "authorizationNeeded"'* ]]
    [[ "$stderr" == *'unknown key "outputs"'* ]]
    [[ "$stderr" == *'"metrics-file" applies to the whole run'* ]]
    for i in 1 3; do
        openssl verify -CAfile "$CA_ROOT" -untrusted "c$i.pem" "c$i.pem"
        grep -E "^acme_certificate_expires_timestamp_seconds\{file=\"c$i.pem\"\} [0-9]+$" m.prom
        grep -E "^acme_last_success_timestamp_seconds\{file=\"c$i.pem\"\} [0-9]+$" m.prom
    done
    run grep 'expires.*c2.pem' m.prom
    [ "$status" = 1 ]
    rm d/2.toml d/4.toml d/5.toml
    acme-order renew -q --json --config-dir d >r.json
    jq -e '.changed == false and (.certificates | length == 2)' r.json
    run acme-order renew --check --config-dir d
    [ "$status" = 1 ]
    echo 'before = "4000d"' >>d/3.toml
    run acme-order renew --check --config-dir d
    [ "$status" = 0 ]
    acme-order renew -q --json --config-dir d >r.json
    [ "$(jq -c '[.certificates[].changed]' r.json)" = "[false,true]" ]
}

@test "FLD-A6: --config-dir with one good and one bad entry: the whole list, the old certificate's end, its series" {
    local i old
    mkdir d
    for i in 1 2; do
        csr-build --new-key ec:P-256 --key-out "k$i" --dns "m$i.$NAME" -o "c$i.csr"
        printf 'csr = "%s"\noutput = "%s"\n' "c$i.csr" "c$i.pem" >"d/$i.toml"
    done
    acme-order renew -q --config-dir d --metrics-file m.prom
    grep -Fx 'acme_renewal_failed{file="c2.pem"} 0' m.prom
    old=$(grep 'acme_last_success_timestamp_seconds{file="c2.pem"}' m.prom)
    sleep 1.1 # times are in whole seconds
    # The request is gone; the CA does not authorize the other's new name; one was never there.
    rm c2.csr
    csr-build --key k --dns stranger.example -o stranger.csr
    printf 'csr = "stranger.csr"\noutput = "c3.pem"\n' >d/3.toml
    echo 'before = "4000d"' >>d/1.toml
    run --separate-stderr acme-order renew --json --config-dir d --metrics-file m.prom
    echo "$output $stderr"
    [ "$status" = 65 ]
    echo "$output" >r.json
    "$ROOT/tests/lib/check-document" "$ROOT/docs/schema/renewal.json" <r.json
    jq -e '.type == "renewal" and .changed and .exit == 65 and .code == .certificates[1].code and (.message | length > 0)' r.json
    jq -e '[.certificates[] | .file] == ["c1.pem", "c2.pem", "c3.pem"] and .certificates[0].changed and
        (.certificates[0] | has("error") | not) and .certificates[2].code == "authorizationNeeded"' r.json
    [ "$(date -d "$(jq -r '.certificates[1].notAfter' r.json)" +%s)" = "$(date -d "$(openssl x509 -in c2.pem -noout -enddate | cut -d= -f2)" +%s)" ]
    grep -E '^acme_certificate_expires_timestamp_seconds\{file="c2.pem"\} [0-9]+$' m.prom
    grep -Fx "$old" m.prom
    grep -Fx 'acme_renewal_failed{file="c1.pem"} 0' m.prom
    grep -Fx 'acme_renewal_failed{file="c2.pem"} 1' m.prom
    grep -Fx 'acme_renewal_failed{file="c3.pem"} 1' m.prom
    run grep 'expires.*c3.pem' m.prom
    [ "$status" = 1 ]
    # The CA cannot be reached: every certificate is still in the list, with its end.
    sed "s,\"directory\": \".*\",\"directory\": \"https://127.0.0.1:9/directory\"," "$FILES/acct.json" >gone.json
    chmod 600 gone.json
    cp "$FILES/acct.key" acct.key
    rm d/2.toml d/3.toml
    run --separate-stderr acme-order renew --json --account gone.json --config-dir d --metrics-file m.prom
    echo "$output $stderr"
    [ "$status" = 69 ]
    jq -e '(.certificates | length == 1) and .certificates[0].error and .certificates[0].notAfter and .changed == false' <<<"$output"
    grep -E '^acme_certificate_expires_timestamp_seconds\{file="c1.pem"\} [0-9]+$' m.prom
    # Of one certificate, too.
    run --separate-stderr acme-order renew --json --account gone.json --csr c1.csr -o c1.pem --before 4000d --metrics-file m.prom
    [ "$status" = 69 ]
    jq -e '.type == "renewal" and .certificates[0].notAfter' <<<"$output"
    grep -Fx 'acme_renewal_failed{file="c1.pem"} 1' m.prom
}

@test "FLD-A6: a deploy hook that fails leaves changed true" {
    hook 3
    run --separate-stderr acme-order renew --json --csr c.csr -o c.pem --deploy-hook ./deploy
    echo "$output"
    [ "$status" = 78 ]
    jq -e '.changed and .code == "deployHookFailed" and .certificates[0].changed and .certificates[0].deployed == false and
        .certificates[0].code == "deployHookFailed"' <<<"$output"
}

@test "FLD-A6: acme-preauth renew tells all domains, those that failed with code and the old expiry" {
    local name
    acme-preauth run -q --dns-update "$DNS_SERVER" --tsig-key "$TSIG_KEY" -o /dev/null "$NAME"
    run --separate-stderr acme-preauth renew --json --metrics-file m.prom --before 4000d --dns-update "$DNS_SERVER" \
        --tsig-key none.key "$NAME"
    [ "$status" = 78 ]
    printf '#!/bin/sh\nexit 1\n' >hook
    chmod +x hook
    run --separate-stderr acme-preauth renew --json --metrics-file m.prom --hook ./hook --no-dns-check "stranger.$NAME" "$NAME"
    echo "$output $stderr"
    [ "$status" = 69 ]
    echo "$output" >r.json
    "$ROOT/tests/lib/check-document" "$ROOT/docs/schema/renewal.json" <r.json
    jq -e '.type == "renewal" and .exit == 69 and .code == "hookFailed" and .changed == false and
        (.authorizations | length == 2) and .authorizations[0].code == "hookFailed" and .authorizations[1].expires' r.json
    grep -E "^acme_authorization_expires_timestamp_seconds\{domain=\"$NAME\"\} [0-9]+$" m.prom
    grep -Fx "acme_renewal_failed{domain=\"stranger.$NAME\"} 1" m.prom
    grep -Fx "acme_renewal_failed{domain=\"$NAME\"} 0" m.prom
    # The CA does not answer: the old expiry is still told, and since when nothing is known.
    sed "s,\"directory\": \".*\",\"directory\": \"https://127.0.0.1:9/directory\"," "$FILES/acct.json" >gone.json
    chmod 600 gone.json
    cp "$FILES/acct.key" acct.key
    mkdir gone.json.d
    run --separate-stderr acme-preauth renew --json --account gone.json --metrics-file m.prom --hook ./hook "$NAME"
    echo "$output $stderr"
    [ "$status" = 69 ]
    jq -e '.type == "renewal" and (.authorizations | length == 1) and .authorizations[0].code' <<<"$output"
    grep -Fx "acme_renewal_failed{domain=\"$NAME\"} 1" m.prom
}

# systemd.service(5): ExecCondition with 1 to 254 skips the unit without failure, 255 and signals fail it; then ExecStart.
as_systemd() { # OPTION...: prints what systemctl would show
    local condition=0 start=0
    acme-order renew --check "$@" 2>/dev/null || condition=$?
    if ((condition == 255 || condition > 255)); then
        echo "failed condition"
    elif ((condition != 0)); then
        echo skipped
    else
        acme-order renew -q "$@" 2>/dev/null || start=$?
        if ((start == 0)); then echo success; else echo "failed $start"; fi
    fi
}

@test "renew as systemd runs it: skipped, success, failed and hook failed are told apart" {
    hook 0
    [ "$(as_systemd --csr c.csr -o c.pem --deploy-hook ./deploy)" = success ]
    [ "$(as_systemd --csr c.csr -o c.pem --deploy-hook ./deploy)" = success ] # whether the CA has renewal information
    [ "$(as_systemd --csr c.csr -o c.pem --deploy-hook ./deploy)" = skipped ]
    [ "$(as_systemd --csr none.csr -o c.pem)" = "failed condition" ]
    [ "$(as_systemd --csr c.csr -o c.pem --before 4000d --ca-file tls.pem)" = "failed 78" ]
    hook 1
    [ "$(as_systemd --csr c.csr -o c.pem --before 4000d --deploy-hook ./deploy)" = "failed 78" ]
    csr-build --key k --dns stranger.example -o s.csr
    [ "$(as_systemd --csr s.csr -o s.pem)" = "failed 79" ]
}

@test "renew under cron with set -e: unchanged, renewed, failed and hook failed are told apart" {
    cat >cron.sh <<'SCRIPT'
set -e
acme-order renew -q --json --detailed-exitcode "$@" >result.json 2>/dev/null || case $? in
2) echo unchanged; exit 0 ;;
*) if [ "$(jq -r .code result.json)" = deployHookFailed ]; then echo "hook failed"; else echo "failed"; fi; exit 1 ;;
esac
echo renewed
SCRIPT
    hook 0
    [ "$(sh cron.sh --csr c.csr -o c.pem --deploy-hook ./deploy)" = renewed ]
    [ "$(sh cron.sh --csr c.csr -o c.pem --deploy-hook ./deploy)" = unchanged ]
    hook 1
    run sh cron.sh --csr c.csr -o c.pem --deploy-hook ./deploy --before 4000d
    [ "$status $output" = "1 hook failed" ]
    csr-build --key k --dns stranger.example -o s.csr
    run sh cron.sh --csr s.csr -o s.pem
    [ "$status $output" = "1 failed" ]
}

@test "FLD-U9: the three renew verbs, if nothing is due: silent, due when at -v, a document only with --json, the output untouched" {
    acme-order renew -q --csr c.csr -o c.pem
    acme-order renew -q --csr c.csr -o c.pem # asks for renewal information once
    cp c.pem before.pem
    local time='[0-9-]{10}T[0-9:]{8}Z' number
    local -a calls=(
        "acme-order renew --csr c.csr -o c.pem"
        "acme-preauth renew --subdomains --dns-update $DNS_SERVER --tsig-key $TSIG_KEY domain.com"
        "est-enroll renew --server https://127.0.0.1:1 --cert c.pem --key k -o c.pem"
    )
    local -a due=("acme-order: c.pem" "acme-preauth: domain.com" "est-enroll: c.pem")
    for number in 0 1 2; do
        for quiet in '' -q; do
            # shellcheck disable=SC2086 # words
            run --separate-stderr ${calls[number]} $quiet
            [ "$status" = 0 ]
            [ -z "$output$stderr" ]
        done
        # shellcheck disable=SC2086
        run --separate-stderr ${calls[number]} -v
        echo "$stderr"
        [ "$status" = 0 ]
        [ -z "$output" ]
        grep -xE "${due[number]}: not due before $time" <<<"$stderr"
        # shellcheck disable=SC2086
        run --separate-stderr ${calls[number]} --json
        jq -e '.type == "renewal" and .changed == false' <<<"$output"
        [ -z "$stderr" ]
        cmp c.pem before.pem
    done
}

@test "FLD-U9: the three renew verbs say what they renewed and until when, and nothing with -q" {
    local time='[0-9-]{10}T[0-9:]{8}Z'
    acme-order renew -q --csr c.csr -o c.pem 2>err
    [ ! -s err ]
    acme-order renew --csr c.csr -o c.pem --before 4000d 2>err
    grep -xE "acme-order: c.pem: renewed, valid until $time" err
    local -a preauth=(acme-preauth renew --dns-update "$DNS_SERVER" --tsig-key "$TSIG_KEY")
    "${preauth[@]}" "new.$NAME" >out 2>err
    grep -xE "acme-preauth: new.$NAME: renewed, valid until $time" err
    "${preauth[@]}" -q "newer.$NAME" >>out 2>err
    [ ! -s err ]
    [ ! -s out ]
}

# folder_of COUNT: d, with files for so many certificates; and asked_since LINE of the CA's log.
folder_of() {
    mkdir d
    local i
    for i in $(seq 101 $((100 + $1))); do
        csr-build --new-key ec:P-256 --key-out "d/$i.key" --dns "m$i.$NAME" -o "d/$i.csr"
        printf 'csr = "d/%s.csr"\noutput = "d/%s.pem"\n' "$i" "$i" >"d/$i.toml"
    done
}

connections_since() { # LINE: how many of the CA since this line of its log
    tail -n "+$(($1 + 1))" "$CA_LOG" | jq -r .peer | sort -u | wc -l
}

ordered_since() { # LINE: the names in their order
    tail -n "+$(($1 + 1))" "$CA_LOG" | jq -r 'select(.resource == "newOrder") | .identifiers[0] | .value? // .' | tr '\n' ' '
}

@test "SCL-32, SCL-33: the certificates of an account share a connection, and as many as are renewed at a time; each has its turn" {
    folder_of 12
    local before sorted
    before=$(wc -l <"$CA_LOG")
    acme-order renew -q --config-dir d
    [ "$(connections_since "$before")" = 1 ]
    sorted=$(ordered_since "$before")
    [ "$(wc -w <<<"$sorted")" = 12 ]
    [ "$sorted" = "$(tr ' ' '\n' <<<"$sorted" | sort | grep . | tr '\n' ' ')" ]
    before=$(wc -l <"$CA_LOG")
    acme-order renew -q --json --before 4000d --jitter 200ms --config-dir d >r.json
    [ "$(connections_since "$before")" = 1 ]
    [ "$(ordered_since "$before")" != "$sorted" ]
    before=$(wc -l <"$CA_LOG")
    acme-order renew -q --json --before 4000d --parallel 4 --config-dir d >r.json
    "$ROOT/tests/lib/check-document" "$ROOT/docs/schema/renewal.json" <r.json
    jq -e '(.certificates | length) == 12 and all(.certificates[]; .changed) and
        [.certificates[].file] == ([.certificates[].file] | sort)' r.json
    local used
    used=$(connections_since "$before")
    [ "$used" -gt 1 ]
    [ "$used" -le 4 ]
    local file
    for file in d/*.csr; do openssl verify -CAfile "$CA_ROOT" -untrusted "${file%.csr}.pem" "${file%.csr}.pem"; done
    # One that fails is one that fails.
    echo "my diary" >d/105.pem
    local wrong status=0
    acme-order renew -q --json --before 4000d --parallel 4 --config-dir d >r.json || status=$?
    [ "$status" = 65 ]
    jq -e '[.certificates[].changed] | map(select(.)) | length == 11' r.json
    for wrong in 0 65; do
        run acme-order renew --parallel "$wrong" --config-dir d
        [ "$status" = 64 ]
    done
}

@test "SCL-32: a signal ends all renewals of --parallel, and the next run finishes them" {
    folder_of 4
    set_fault slow=newOrder:600
    acme-order renew -q --parallel 3 --trace t.jsonl --config-dir d 3>&- &
    local pid=$! status=0
    wait_for 20 grep -q 'POST /newOrder' t.jsonl
    kill -TERM "$pid"
    wait "$pid" || status=$?
    [ "$status" = 143 ]
    set_fault slow=off
    acme-order renew -q --parallel 3 --config-dir d
    [ "$(find d -name '*.pem' | wc -l)" = 4 ]
}
