#!/usr/bin/env bats
# acme-order check: what a monitor wants to know about deployed certificates.

load ../lib/common
load ../lib/ca
load ../lib/est

bats_require_minimum_version 1.5.0

# site.pem: 90 days for site.example under an intermediate; root.pem is the anchor.
setup() {
    cd "$BATS_TEST_TMPDIR" || return
    issue root '/CN=Root' - basicConstraints=critical,CA:TRUE keyUsage=critical,keyCertSign,cRLSign subjectKeyIdentifier=hash
    DAYS=400 issue sub '/CN=Sub' root basicConstraints=critical,CA:TRUE keyUsage=critical,keyCertSign,cRLSign subjectKeyIdentifier=hash
    DAYS=90 issue leaf '/CN=leaf' sub subjectAltName=DNS:site.example,DNS:*.w.example,IP:192.0.2.7 extendedKeyUsage=serverAuth \
        authorityKeyIdentifier=keyid
    cat leaf.pem sub.pem >site.pem
}

teardown() {
    stop_all
}

# says STATUS CODES [OPTION...] FILE: the exit status, and the codes of the first file's findings, separated by commas.
says() {
    local expected=$1 codes=$2 status=0
    shift 2
    "${CLOCK[@]}" acme-order check --trust root.pem --json "$@" >said.json || status=$?
    cat said.json
    [ "$status" = "$expected" ]
    "$ROOT/tests/lib/check-document" "$ROOT/docs/schema/certificate-check.json" <said.json
    [ "$(jq -r '[.files[0].findings[].code] | join(",")' said.json)" = "$codes" ]
}

@test "OPR-64: time, names, key and chain of a certificate, a line for each file and statuses for monitors" {
    acme-order check --trust root.pem site.pem >line
    grep -E '^OK site\.pem: (89|90) days left, until 20[0-9TZ:-]{18}, [^,;]+ and 2 more$' line
    says 0 "" --name site.example --name a.w.example --name 192.0.2.7 --key leaf.key site.pem
    jq -e '.type == "certificate-check" and .alarm == "well" and (.files[0] | (.daysLeft | . == 89 or . == 90) and .file == "site.pem" and
        (.identifiers | length == 3))' said.json
    says 2 nameMissing --name other.example site.pem
    says 2 keyMismatch --key sub.key site.pem
    says 1 expiresSoon --warning 100d site.pem
    says 2 expiresSoon --critical 100d site.pem
    says 2 path leaf.pem
    says 2 path --trust leaf.pem sub.pem
    says 1 chainOrder <(cat leaf.pem root.pem sub.pem)
    DAYS=9 issue client /CN=client sub subjectAltName=DNS:site.example extendedKeyUsage=clientAuth
    says 0 "" <(cat client.pem sub.pem)
    says 2 path --name site.example <(cat client.pem sub.pem)
    CLOCK=(at_clock +70d)
    says 1 expiresSoon site.pem
    CLOCK=(at_clock +85d)
    says 2 expiresSoon site.pem
    CLOCK=(at_clock +91d)
    says 2 expired site.pem
    jq -e '.files[0].daysLeft < 0' said.json
    CLOCK=(at_clock -2d)
    says 2 notYetValid site.pem
    CLOCK=()
    # The worst of several: critical, warning, unknown.
    local status=0
    acme-order check --trust root.pem site.pem none.pem leaf.pem >lines || status=$?
    [ "$status" = 2 ]
    [ "$(cut -d ' ' -f 1,2 lines | tr '\n' ' ')" = "OK site.pem: UNKNOWN none.pem: CRITICAL leaf.pem: " ]
    run acme-order check --trust root.pem site.pem none.pem
    [ "$status" = 3 ]
    run acme-order check --trust none.pem site.pem
    [ "$status" = 78 ]
    run acme-order check --key leaf.key site.pem leaf.pem
    [ "$status" = 64 ]
    run acme-order check
    [ "$status" = 64 ]
}

# crl NAME DAYS [CERTIFICATE]: NAME.crl of sub.
crl() {
    : >index
    echo 01 >number
    printf '[ca]\ndefault_ca = c\n[c]\ndatabase = index\ncrlnumber = number\ndefault_md = sha256\n' >ca.cnf
    [ $# -lt 3 ] || openssl ca -config ca.cnf -revoke "$3" -keyfile sub.key -cert sub.pem 2>/dev/null
    openssl ca -config ca.cnf -gencrl -crldays "$2" -keyfile sub.key -cert sub.pem -out "$1.crl" 2>/dev/null
}

@test "OPR-64: a CRL, from a file or a URL: revoked, stale, not there" {
    crl good 9
    says 0 "" --crl good.crl site.pem
    crl bad 9 leaf.pem
    says 2 revoked --crl bad.crl site.pem
    CLOCK=(at_clock +10d)
    says 3 crlStale --crl good.crl site.pem
    CLOCK=()
    local port
    port=$(free_port)
    python3 -m http.server --bind 127.0.0.1 "$port" >web.log 2>&1 3>&- &
    STARTED+=($!)
    wait_for 10 curl -sf "http://127.0.0.1:$port/good.crl" -o /dev/null
    says 0 "" --crl "http://127.0.0.1:$port/good.crl" site.pem
    says 2 revoked --crl "http://127.0.0.1:$port/bad.crl" site.pem
    says 3 crlStale --crl "http://127.0.0.1:$port/none.crl" site.pem
    jq -e '.files[0].findings[0].text | contains("404")' said.json
}

@test "OPR-64, EXT-02a: the window that its CA suggests" {
    start_ca "$PWD/ca"
    acme-account register --directory "$CA_DIRECTORY" --ca-file "$CA_FILE" -q -o account.json
    set_fault preauthorized=1
    csr-build --new-key ec:P-256 --key-out k --dns a.example | acme-order run -q -o a.pem
    local check=(--trust "$CA_ROOT" --directory "$CA_DIRECTORY" --ca-file "$CA_FILE")
    says 0 "" "${check[@]}" a.pem
    jq -e '.files[0].suggestedWindow | .start < .end' said.json
    set_fault renewalInfo=past
    says 1 renewalOverdue "${check[@]}" a.pem
    set_fault renewalInfo=missing
    says 3 malformed "${check[@]}" a.pem
    set_fault renewalInfo=off
    stop_all
    STARTED=()
    says 3 connect "${check[@]}" a.pem
}

@test "OPR-65: hostile files end in a finding: no PEM, half of one, 20 MB, pipes, folders, control characters" {
    printf 'not PEM' >text.pem
    head -c 300 site.pem >half.pem
    : >empty.pem
    head -c 10000000 /dev/urandom >random.pem
    head -c 20000000 /dev/zero >large.pem
    { cat site.pem; head -c 10000000 /dev/zero | tr '\0' 'A'; } >tail.pem
    for _ in $(seq 101); do cat leaf.pem; done >many.pem
    printf -- '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n' >torn.pem
    mkdir folder.pem
    mkfifo silent.pem
    local file
    for file in text half empty random many torn; do says 2 noCertificate "$file.pem"; done
    for file in large folder none; do says 3 unreadable "$file.pem"; done
    says 0 "" tail.pem
    says 0 "" <(cat site.pem)
    says 3 unreadable silent.pem
    DAYS=9 issue evil $'/CN=e\e[2Jvil' sub $'subjectAltName=DNS:e\x1b[2Jvil.example'
    cat evil.pem sub.pem >$'ev\e[2Jil.pem'
    local format
    for format in "" --json; do
        run acme-order check --trust root.pem $format $'ev\e[2Jil.pem'
        echo "$output" | od -c | head
        ! LC_ALL=C grep -P '[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]' <<<"$output"
    done
    acme-order check --trust root.pem - <site.pem
}
