#!/usr/bin/env bats
# Flow 5 through the manufacturer's cloud registrar (draft-ietf-anima-brski-cloud): by 307, or by a voucher that names
# an EST server.

bats_require_minimum_version 1.5.0
load ../lib/common
load ../lib/est
load ../lib/relay
load ../lib/brski

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    make_flow5
}

teardown() {
    stop_all
}

pledge_cloud() { # OPTION...
    pledge_run --cloud "https://$MASA" --ca-file "$MAKER/vendor.pem" "$@"
}

# cloud LINE [OPTION...]: a cloud registrar that knows this device.
cloud() {
    echo "$1" >cloud.csv
    start_masa "$MAKER" --cloud cloud.csv -v "${@:2}"
}

@test "CLOUD-02a, CLOUD-03a, CLOUD-03b: the cloud registrar sends the pledge to its owner by 307" {
    no_ca
    echo "pledgeid,redirect,https://127.0.0.1:${RELAY_PORT:=$(free_port)}" >cloud.csv
    start_masa "$MAKER" --cloud cloud.csv --retry-after 0s
    registrar
    # The owner's registrar has a certificate of a CA that the pledge does not know.
    pledge_cloud -o new.pem
    openssl x509 -in new.pem -noout -ext subjectAltName | grep -q pledgeid.domain.com
    grep '"event":"brski"' "$PKI/relay.log" | grep -q 'voucher received'
    [ "$(masa_events pledgeid)" = 1 ]
}

@test "CLOUD-01a, CLOUD-01b, CLOUD-02c: the built-in anchors verify the cloud registrar, which knows the device by its IDevID" {
    cloud "pledgeid,redirect,https://127.0.0.1:1" --retry-after 0s
    make_pledge "$MAKER" nobody
    run --separate-stderr brski-pledge run --idevid nobody.pem --key nobody.key --cloud "https://$MASA" --ca-file "$MAKER/vendor.pem" \
        --manufacturer-ta "$MAKER/vendor.pem" --key-out nobody.new
    [ "$status" -eq 77 ]
    [[ $stderr == *401* ]]
    KEY_OUT=unverified.key run --separate-stderr pledge_run --cloud "https://$MASA" --ca-file "$PKI/tls-root.pem" --json
    [ "$status" -eq 69 ]
    [[ $(jq -r .code <<<"$output") == tls* ]]
    # A request is answered only on the connection of the device that signed it.
    scripted
    rules '{"requestvoucher": [{"status": 401}]}'
    run --separate-stderr pledge_run --cloud "$EST_URL" --ca-file ca.pem
    [ "$status" -eq 77 ]
    # Without Retry-After it is asked once.
    [ "$(asked 'length == 1 and (.[0].client | contains("pledgeid"))')" = true ]
    rules '{"requestvoucher": [{"status": 401, "headers": {"Retry-After": "1"}}, {"status": 401}]}'
    run --separate-stderr pledge_run --cloud "$EST_URL" --ca-file ca.pem
    [ "$status" -eq 77 ]
    [ "$(asked length)" = 3 ]
}

@test "CLOUD-02c, CLOUD-09b: a device without an owner is told when to come back, and finds one then" {
    no_ca
    cloud "somebody,redirect,https://127.0.0.1:${RELAY_PORT:=$(free_port)}"
    registrar
    request one
    REGISTRAR="https://$MASA"
    cp "$PKI/tls-root.pem" root.pem
    cp "$MAKER/vendor.pem" "$PKI/tls-root.pem"
    ask one
    cp root.pem "$PKI/tls-root.pem"
    [ "$STATUS" = 401 ]
    grep -qi '^retry-after: 600' headers
    kill "$MASA_PID"
    wait "$MASA_PID" || true
    start_masa "$MAKER" --cloud cloud.csv --retry-after 1s
    run --separate-stderr pledge_cloud --timeout 6s
    [ "$status" -eq 75 ]
    pledge_cloud -vv -o new.pem 2>told &
    local pledge=$!
    asks_again() { (($(grep -c '^brski-pledge: POST .*/requestvoucher' told) >= 2)); }
    wait_for 20 asks_again
    kill "$MASA_PID"
    wait "$MASA_PID" || true
    cloud "pledgeid,redirect,https://127.0.0.1:$RELAY_PORT"
    wait "$pledge"
    openssl x509 -in new.pem -noout -ext subjectAltName | grep -q pledgeid.domain.com
}

# scripted: a cloud registrar that answers by rules, and that ca.pem verifies.
scripted() {
    est_world
    cat "$MAKER/vendor.pem" ca.pem >foreign.pem # whose clients it takes
    start_est scripted tls
}

# to PATH...: replies to requestvoucher, each a redirect to this path with STATUS (default: 307).
to() {
    jq -n --arg url "$EST_URL" --argjson status "${STATUS:-307}" '[$ARGS.positional[] | {status: $status, headers: {Location: ($url + .)}}]' \
        --args "$@"
}

# ends STATUS CODE: the pledge does.
ends() {
    : >"$EST_DIR/log"
    run --separate-stderr pledge_run --cloud "$EST_URL" --ca-file ca.pem --json --timeout 30s
    [ "$status" -eq "$1" ] || { echo "$status $output" && false; }
    [ "$(jq -r .code <<<"$output")" = "$2" ]
}

@test "CLOUD-04a: a redirect loop ends" {
    echo "pledgeid,redirect,https://127.0.0.1:${MASA_PORT}" >cloud.csv
    start_masa "$MAKER" --cloud cloud.csv
    run --separate-stderr pledge_cloud --json
    [ "$status" -eq 76 ]
    [ "$(jq -r .code <<<"$output")" = redirectLoop ]
    # A longer one, too: the third location is the first.
    scripted
    rules "$(jq -n --argjson to "$(to /one/requestvoucher /two/requestvoucher /one/requestvoucher)" '{requestvoucher: $to}')"
    ends 76 redirectLoop
    [ "$(asked length)" = 3 ]
}

@test "CLOUD-03c, CLOUD-04b, CLOUD-04c: a verified registrar may redirect 24 times, and once by another status than 307" {
    scripted
    local paths
    mapfile -t paths < <(printf '/%s/requestvoucher\n' {1..30})
    rules "$(jq -n --argjson to "$(to "${paths[@]}")" '{requestvoucher: $to}')"
    ends 76 tooManyRedirects
    [ "$(asked length)" = 25 ]
    local status_code
    for status_code in 301 302 308; do
        rules "$(jq -n --argjson other "$(STATUS=$status_code to /a/requestvoucher)" --argjson to "$(to /b/requestvoucher)" \
            --argjson more "$(STATUS=302 to /c/requestvoucher)" '{requestvoucher: ($other + $to + $more)}')"
        ends 76 tooManyRedirects
        [ "$(asked '[.[].path]')" = "$(jq -n '["/.well-known/brski/requestvoucher", "/a/requestvoucher", "/b/requestvoucher"]')" ]
    done
}

@test "CLOUD-02d, CLOUD-09b: 400, 404 and 503 end the attempt, but 503 with Retry-After has it repeated, and is no loop" {
    scripted
    local code
    for code in 400 404; do
        rules "{\"requestvoucher\": [{\"status\": $code, \"body\": \"no such device\"}]}"
        ends 77 refused
        [[ $output == *"$code: no such device"* ]]
        [ "$(asked length)" = 1 ]
    done
    rules '{"requestvoucher": [{"status": 503}]}'
    ends 69 unavailable
    [ "$(asked length)" = 1 ]
    rules '{"requestvoucher": [{"status": 503, "headers": {"Retry-After": "1"}}, {"status": 503, "headers": {"Retry-After": "1"}}, {"status": 404}]}'
    ends 77 refused
    [ "$(asked length)" = 3 ]
    [ "$(asked '[.[].body] | unique | length')" = 1 ]
}

@test "CLOUD-03c, CLOUD-09a: a 401 where a redirect led is asked again over hours, others are the end" {
    est_world
    cat "$MAKER/vendor.pem" ca.pem >foreign.pem # whose clients it takes
    start_est hostile tls
    cloud "pledgeid,redirect,$EST_URL"
    rules '{"requestvoucher": [{"status": 401}]}'
    run --separate-stderr pledge_cloud --timeout 20s
    [ "$status" -eq 75 ]
    rules '{"requestvoucher": [{"status": 403}]}'
    run --separate-stderr pledge_cloud --timeout 20s
    [ "$status" -eq 77 ]
    # An unverified registrar may not send the pledge on once more.
    rules "{\"requestvoucher\": [{\"status\": 307, \"headers\": {\"Location\": \"$EST_URL/on\"}}]}"
    run --separate-stderr pledge_cloud --json
    [ "$status" -eq 76 ]
    [ "$(jq -r .code <<<"$output")" = tooManyRedirects ]
}

@test "CLOUD-05b, CLOUD-05c, CLOUD-05d: the voucher's EST server has to be what is pinned, and nothing is asked of another" {
    est_world
    cat "$MAKER/vendor.pem" ca.pem >foreign.pem # whose clients it takes
    # Its name is the one in the voucher, its CA another: the first does not make it the right one.
    start_est named tls
    rules '{}'
    refused() { # PINNED WORDS
        cloud "pledgeid,est,${EST_URL#https://},$1"
        run --separate-stderr pledge_cloud --json
        [ "$status" -eq 69 ]
        [[ $(jq -r .message <<<"$output") == *"$2"* ]] || { echo "$output" && false; }
        wait_for 5 grep -q 'voucher_status of pledgeid: failure' "$MAKER/masa.log"
        [ "$(asked length)" = 0 ]
        [ ! -e new.key ]
        : >"$MAKER/masa.log"
        kill "$MASA_PID"
        wait "$MASA_PID" || true
    }
    refused foreign.pem certificate
    # The CA is the one in the voucher, the name is not.
    start_est ra other
    rules '{}'
    refused ca.pem 'not for'
    # The very certificate may be called anything, and the right CA's certificate the right name.
    cloud "pledgeid,est,${EST_URL#https://},other.pem"
    run --separate-stderr pledge_cloud
    [ "$(asked '.[0].operation == "cacerts"')" = true ]
    kill "$MASA_PID"
    wait "$MASA_PID" || true
    start_est again tls
    rules '{}'
    cloud "pledgeid,est,${EST_URL#https://},ca.pem"
    run --separate-stderr pledge_cloud
    [ "$(asked '.[0].operation == "cacerts"')" = true ]
}

# voucher_for_est: a cloud registrar whose voucher names a scripted EST server.
voucher_for_est() {
    est_world
    cat "$MAKER/vendor.pem" ca.pem >foreign.pem # whose clients it takes
    start_est ra other
    make_csrattrs pledgeid.example.org
    rules '{"cacerts": [{"base64": "cacerts.p7"}], "csrattrs": [{"base64": "attributes.der"}], "simpleenroll": [{"sign": true}], "enrollstatus": [{}]}'
    cloud "pledgeid,est,${EST_URL#https://},other.pem"
}

@test "CLOUD-02b, CLOUD-06a, CLOUD-06b: a voucher with est-domain: that server alone is asked for attributes" {
    voucher_for_est
    pledge_cloud -vv -o new.pem 2>told
    openssl verify -CAfile ca.pem new.pem
    openssl x509 -in new.pem -noout -ext subjectAltName | grep -q pledgeid.example.org
    [ "$(asked '[.[].operation] | map(select(. == "csrattrs")) | length')" = 1 ]
    [ "$(grep -c "GET $EST_URL/.well-known/est/csrattrs" told)" = 1 ]
    run ! grep "https://$MASA/.*csrattrs" told
    STATUS=$(curl -s --cacert "$MAKER/vendor.pem" -o /dev/null -w '%{http_code}' "https://$MASA/.well-known/est/csrattrs")
    [ "$STATUS" = 404 ]
}

@test "CLOUD-05a, CLOUD-07a, CLOUD-07b: it enrols there by EST without BRSKI, and tells both of it" {
    voucher_for_est
    pledge_cloud -o new.pem
    [ "$(asked '[.[].operation]')" = "$(jq -n '["cacerts", "csrattrs", "simpleenroll", "enrollstatus"]')" ]
    [ "$(asked '.[-1].body | fromjson | .status')" = true ]
    wait_for 5 grep -q 'voucher_status of pledgeid: success' "$MAKER/masa.log"
    [ "$(masa_events pledgeid)" = 1 ]
    # After a connection that failed it tells of the failure.
    : >"$MAKER/masa.log"
    kill "$MASA_PID"
    wait "$MASA_PID" || true
    cloud "pledgeid,est,127.0.0.1:$(free_port),other.pem"
    KEY_OUT=other.new.key run --separate-stderr pledge_cloud
    [ "$status" -eq 69 ]
    wait_for 5 grep -q 'voucher_status of pledgeid: failure' "$MAKER/masa.log"
}

@test "SEC-11, CLOUD-01b: the owner list goes before the cloud's, and only the device itself has its request answered" {
    cloud "pledgeid,est,ra.example,$PKI/ra.pem"
    request one
    make_pledge "$MAKER" second
    REGISTRAR="https://$MASA"
    cp "$MAKER/vendor.pem" "$PKI/tls-root.pem"
    CERT=second ask one
    [ "$STATUS" = 403 ]
    ask one
    [ "$STATUS" = 200 ]
    kill "$MASA_PID"
    wait "$MASA_PID" || true
    echo "pledgeid,$(printf somebody | sha256sum | cut -d ' ' -f 1)" >owners
    start_masa "$MAKER" --cloud cloud.csv --owners owners
    ask one
    [ "$STATUS" = 403 ]
    [ "$(masa_events pledgeid)" = 1 ]
}

@test "CLOUD-05a, CLOUD-08: the relay as the EST server of a voucher takes devices of its inventory without one of its own" {
    no_ca
    configure
    sed -i '/^\[brski\]/,$d' "$PKI/relay.toml"
    start_relay "$PKI"
    cloud "pledgeid,est,127.0.0.1:$RELAY_PORT,$PKI/tls-root.pem"
    pledge_cloud --save-cacerts cas.pem -o new.pem
    openssl x509 -in new.pem -noout -ext subjectAltName | grep -q pledgeid.domain.com
    openssl verify -CAfile cas.pem new.pem
}
