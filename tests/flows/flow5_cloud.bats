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

# cloud LINE...: a cloud registrar that knows these devices.
cloud() {
    printf '%s\n' "$@" >cloud.csv
    start_masa "$MAKER" --cloud cloud.csv -v
}

@test "CLOUD-01, CLOUD-02, CLOUD-03: the cloud registrar sends the pledge to its owner by 307" {
    no_ca
    echo "pledgeid,redirect,https://127.0.0.1:${RELAY_PORT:=$(free_port)}" >cloud.csv
    start_masa "$MAKER" --cloud cloud.csv --retry-after 0s
    registrar
    pledge_cloud -o new.pem
    openssl x509 -in new.pem -noout -ext subjectAltName | grep -q pledgeid.domain.com
    make_pledge "$MAKER" nobody
    run --separate-stderr brski-pledge run --idevid nobody.pem --key nobody.key --cloud "https://$MASA" --ca-file "$MAKER/vendor.pem" \
        --manufacturer-ta "$MAKER/vendor.pem" --key-out nobody.new
    [ "$status" -eq 77 ]
    [[ $stderr == *401* ]]
    KEY_OUT=unverified.key run --separate-stderr pledge_run --cloud "https://$MASA" --ca-file "$PKI/tls-root.pem"
    [ "$status" -eq 69 ]
}

@test "CLOUD-02: a device without an owner is told when to come back, and finds one then" {
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
    run --separate-stderr pledge_cloud --timeout 3s
    [ "$status" -eq 75 ]
    pledge_cloud -v -o new.pem &
    local pledge=$!
    sleep 1
    kill "$MASA_PID"
    wait "$MASA_PID" || true
    cloud "pledgeid,redirect,https://127.0.0.1:$RELAY_PORT"
    wait "$pledge"
    openssl x509 -in new.pem -noout -ext subjectAltName | grep -q pledgeid.domain.com
}

@test "CLOUD-04: a redirect loop ends" {
    echo "pledgeid,redirect,https://127.0.0.1:${MASA_PORT}" >cloud.csv
    start_masa "$MAKER" --cloud cloud.csv
    run --separate-stderr pledge_cloud --json
    [ "$status" -eq 76 ]
    [ "$(jq -r .code <<<"$output")" = redirectLoop ]
}

@test "CLOUD-09: a 401 where a redirect led is asked again over hours, others are the end" {
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

@test "CLOUD-05, CLOUD-06, CLOUD-07: the voucher's EST server has to be what is pinned, and alone is asked for attributes" {
    est_world
    cat "$MAKER/vendor.pem" ca.pem >foreign.pem # whose clients it takes
    start_est ra other
    cat >attributes <<'END'
asn1 = SEQUENCE:attributes
[attributes]
one = SEQUENCE:extension_request
[extension_request]
type = OID:1.2.840.113549.1.9.14
values = SETWRAP,SEQUENCE:extensions
[extensions]
one = SEQUENCE:san
[san]
type = OID:subjectAltName
value = OCTWRAP,SEQUENCE:names
[names]
one = IMPLICIT:2,IA5STRING:pledgeid.example.org
END
    openssl asn1parse -genconf attributes -noout -out attributes.der
    rules '{"cacerts": [{"base64": "cacerts.p7"}], "csrattrs": [{"base64": "attributes.der"}], "simpleenroll": [{"sign": true}], "enrollstatus": [{}]}'
    where=${EST_URL#https://}
    # Its name is another one: below a pinned CA that counts, also when the CA is the wrong one.
    for pinned in ca foreign; do
        cloud "pledgeid,est,$where,$pinned.pem"
        run --separate-stderr pledge_cloud
        [ "$status" -eq 69 ]
        wait_for 5 grep -q 'voucher_status of pledgeid: failure' "$MAKER/masa.log"
        : >"$MAKER/masa.log"
        kill "$MASA_PID"
        wait "$MASA_PID" || true
    done
    [ "$(asked length)" = 0 ]
    [ ! -e new.key ]
    # The very certificate may be called anything.
    cloud "pledgeid,est,$where,other.pem"
    pledge_cloud -o new.pem
    openssl verify -CAfile ca.pem new.pem
    openssl x509 -in new.pem -noout -ext subjectAltName | grep -q pledgeid.example.org
    [ "$(asked '[.[].operation]')" = "$(jq -n '["cacerts", "csrattrs", "simpleenroll", "enrollstatus"]')" ]
    wait_for 5 grep -q 'voucher_status of pledgeid: success' "$MAKER/masa.log"
    [ "$(masa_events pledgeid)" = 3 ]
    STATUS=$(curl -s --cacert "$MAKER/vendor.pem" -o /dev/null -w '%{http_code}' "https://$MASA/.well-known/est/csrattrs")
    [ "$STATUS" = 404 ]
    # Only the device itself has its request answered, and the owner list goes before the cloud's.
    request one
    make_pledge "$MAKER" second
    REGISTRAR="https://$MASA"
    cp "$MAKER/vendor.pem" "$PKI/tls-root.pem"
    CERT=second ask one
    [ "$STATUS" = 403 ]
    kill "$MASA_PID"
    wait "$MASA_PID" || true
    echo "pledgeid,$(printf somebody | sha256sum | cut -d ' ' -f 1)" >owners
    start_masa "$MAKER" --cloud cloud.csv --owners owners
    ask one
    [ "$STATUS" = 403 ]
    [ "$(masa_events pledgeid)" = 3 ]
}

@test "CLOUD-05, CLOUD-08: the relay as the EST server of a voucher takes devices of its inventory without one of its own" {
    no_ca
    configure
    sed -i '/^\[brski\]/,$d' "$PKI/relay.toml"
    start_relay "$PKI"
    cloud "pledgeid,est,127.0.0.1:$RELAY_PORT,$PKI/tls-root.pem"
    pledge_cloud --save-cacerts cas.pem -o new.pem
    openssl x509 -in new.pem -noout -ext subjectAltName | grep -q pledgeid.domain.com
    openssl verify -CAfile cas.pem new.pem
}
