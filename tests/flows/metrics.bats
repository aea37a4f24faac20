#!/usr/bin/env bats
# /metrics of both relays, and what is built on it: docs/METRICS.md, the alert rules, the dashboard.

bats_require_minimum_version 1.5.0
load ../lib/common
load ../lib/ca
load ../lib/dns
load ../lib/relay
load ../lib/teap

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    PKI=$PWD/pki
}

teardown() {
    stop_all
}

# both_relays: with a device enrolled, another one refused, and a packet dropped; their metrics in est.prom and teap.prom.
both_relays() {
    make_pki "$PKI"
    make_issuer "$PKI"
    export RELAY_DOMAIN=domain.com
    write_relay_toml "$PKI"
    by_program "$PKI" "$PKI/relay.toml"
    printf '[events]\nhook = ["true"]\n' >>"$PKI/relay.toml"
    start_relay "$PKI"
    make_csr device0001.domain.com dev.csr
    enrol device0001 simpleenroll dev.csr
    [ "$STATUS" = 200 ]
    est stranger9999 simpleenroll -H 'Content-Type: application/pkcs10' --data-binary @dev.csr
    [ "$STATUS" = 403 ]
    est - cacerts
    local relay=$PKI
    PKI=$PWD/teap
    make_pki "$PKI"
    make_issuer "$PKI"
    write_teap_toml "$PKI"
    by_program "$PKI" "$PKI/teap.toml"
    start_teap "$PKI"
    peer device0001 --new-key ec:P-256 --key-out x.key -o x.pem || true
    PKI=$relay
    scrape
}

scrape() {
    curl -sf -H 'Accept: text/plain;version=0.0.4;q=1,*/*;q=0.1' -D est.headers "$RELAY_ADMIN/metrics" >est.prom
    curl -sf -H 'Accept: text/plain' "$TEAP_ADMIN/metrics" >teap.prom
}

# sample FILE NAME: the value of a sample.
sample() {
    awk -v name="$2" '$1 == name { print $2 }' "$1"
}

@test "OPR-35: promtool accepts the metrics of both relays; the form is what the monitor asks for" {
    both_relays
    promtool check metrics <est.prom
    promtool check metrics <teap.prom
    grep -qi '^content-type: text/plain; version=0.0.4' est.headers
    run ! grep -q EOF est.prom
    # As Prometheus asks, and as nobody in particular does.
    local accept
    for accept in 'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1' '*/*'; do
        curl -sf -H "Accept: $accept" -D om.headers "$RELAY_ADMIN/metrics" >est.om
        grep -qi '^content-type: application/openmetrics-text; version=1.0.0' om.headers
        [ "$(tail -n 1 est.om)" = "# EOF" ]
        grep -qx '# TYPE acmetool_est_requests counter' est.om
    done
    # Each family and each sample once.
    local file
    for file in est.prom teap.prom est.om; do
        [ -z "$(grep '^# TYPE' "$file" | sort | uniq -d)" ]
        [ -z "$(grep -v '^#' "$file" | sed 's/ [^ ]*$//' | sort | uniq -d)" ]
    done
}

@test "OPR-35: the time of answers is in buckets by operation and outcome" {
    both_relays
    [ "$(sample est.prom 'acmetool_est_request_seconds_count{operation="simpleenroll",outcome="issued"}')" = 1 ]
    [ "$(sample est.prom 'acmetool_est_request_seconds_bucket{operation="simpleenroll",outcome="issued",le="+Inf"}')" = 1 ]
    [ "$(sample est.prom 'acmetool_est_request_seconds_count{operation="simpleenroll",outcome="refused"}')" = 1 ]
    [ "$(sample est.prom 'acmetool_est_request_seconds_count{operation="cacerts",outcome="answered"}')" = 1 ]
    [ "$(sample est.prom 'acmetool_refusals_total{cause="forbidden"}')" = 1 ]
    [ "$(sample est.prom 'acmetool_ra_decisions_issued_total')" = 1 ]
    [ "$(sample est.prom acmetool_ready)" = 1 ]
    [ "$(sample est.prom acmetool_orders_under_way)" = 0 ]
    # Ends of certificates are those of the files.
    local end
    end=$(date -d "$(openssl x509 -in "$PKI/ra.pem" -noout -enddate | cut -d = -f 2)" +%s)
    grep -qxF "acmetool_certificate_expires_timestamp_seconds{certificate=\"TLS certificate CN=localhost\"} $end" est.prom
    grep -q '^acmetool_certificate_expires_timestamp_seconds{certificate="manufacturer .*Maker CA' est.prom
    grep -q '^acmetool_certificate_expires_timestamp_seconds{certificate="CA CN=TLS root"}' est.prom
}

@test "OPR-35: what the CA says of the clock, and of the lives of authorizations, is in the metrics" {
    make_pki "$PKI"
    start_authority
    write_relay_toml "$PKI"
    RELAY_CLOCK=+3m start_relay "$PKI"
    make_csr device0001.iot.domain.com dev.csr
    enrol device0001 simpleenroll dev.csr
    [ "$STATUS" = 200 ]
    curl -sf "$RELAY_ADMIN/metrics" >est.om
    local offset until began
    offset=$(sample est.om acmetool_clock_offset_seconds)
    [ "$offset" -ge 170 ]
    [ "$offset" -le 189 ]
    until=$(sample est.om 'acmetool_authorization_expires_timestamp_seconds{domain="iot.domain.com"}')
    began=$(sample est.om 'acmetool_authorization_obtained_timestamp_seconds{domain="iot.domain.com"}')
    [ "$began" -lt "$until" ]
    [ "$(sample est.om acmetool_ca_last_success_timestamp_seconds)" -ge "$began" ]
    run ! grep -q '^acmetool_ca_last_failure_timestamp_seconds ' est.om
    curl -s "$RELAY_ADMIN/" | grep -q 'the clock of this host was 1[78][0-9] s ahead of that of the CA'
    curl -s "$RELAY_ADMIN/status" | "$ROOT/tests/lib/check-document" "$ROOT/docs/schema/relay-status.json"
}

@test "OPR-35: docs/METRICS.md has each metric of both relays with type and meaning, and no other" {
    both_relays
    sed -nE 's/^\| `([a-z_]+)` \| ([a-z]+) \| [^|]* \| (.*) \|$/\1 \2 \3/p' "$ROOT/docs/METRICS.md" | LC_ALL=C sort >documented
    [ "$(wc -l <documented)" -gt 50 ]
    python3 "$ROOT/tests/lib/metrics.py" families est.prom teap.prom >served
    diff documented served
    # The labels are those of the samples.
    sed -nE 's/^\| `([a-z_]+)` \| [a-z]+ \| (`[^|]*) \| .*/\1 \2/p' "$ROOT/docs/METRICS.md" | tr -d '`,' | LC_ALL=C sort >documented
    python3 "$ROOT/tests/lib/metrics.py" labels est.prom teap.prom >served
    # Without an ACME CA there is no domain.
    grep -v 'acmetool_authorization' documented | diff - served
}

@test "OPR-36: the alert rules pass promtool, each is tested, and each metric in them is served" {
    promtool check rules "$ROOT/packaging/prometheus/acme-integrations.rules.yml"
    promtool test rules "$ROOT/packaging/prometheus/acme-integrations.test.yml"
    local alert alerts
    mapfile -t alerts < <(sed -n 's/^ *- alert: //p' "$ROOT/packaging/prometheus/acme-integrations.rules.yml")
    for alert in "${alerts[@]}"; do
        grep -q "alertname: $alert\$" "$ROOT/packaging/prometheus/acme-integrations.test.yml" || {
            echo "$alert is not tested"
            return 1
        }
    done
    both_relays
    python3 "$ROOT/tests/lib/metrics.py" used "$ROOT/packaging/prometheus/acme-integrations.rules.yml" est.prom teap.prom
    sed 's/acmetool_crls_stale/acmetool_crls_old/' "$ROOT/packaging/prometheus/acme-integrations.rules.yml" >wrong.yml
    run python3 "$ROOT/tests/lib/metrics.py" used wrong.yml est.prom teap.prom
    [[ $status == 1 && $output == *acmetool_crls_old* ]]
}

@test "OPR-37: the dashboard is JSON, and each metric in it is served" {
    local file=$ROOT/packaging/grafana/acme-integrations.json
    jq -e '.uid == "acme-integrations" and ([.panels[].id] | length == (unique | length))' "$file"
    # Nothing lies on something else, and each panel asks something.
    jq -e '[.panels[] | .targets | length > 0] | all' "$file"
    jq -e '[.panels[].gridPos | .x + .w <= 24] | all' "$file"
    jq -e '[.panels[].gridPos | "\(.x) \(.y)"] | length == (unique | length)' "$file"
    both_relays
    python3 "$ROOT/tests/lib/metrics.py" used "$file" est.prom teap.prom
}
