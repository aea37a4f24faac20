#!/usr/bin/env bats
# acme-order revoke: by the account, by the certificate's key, and everything the CA says no to.

load ../lib/common
load ../lib/dns
load ../lib/ca

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return
    start_knot "$PWD/dns" domain.com
    start_ca "$PWD/ca" --dns-server "$DNS_SERVER"
    acme-account register --directory "$CA_DIRECTORY" --ca-file "$CA_FILE" -q -o account.json
    acme-preauth run -q --subdomains --dns-update "$DNS_SERVER" --tsig-key "$TSIG_KEY" -o authz.json domain.com
    export CA_LOG CA_DIRECTORY DNS_SERVER TSIG_KEY PIDS="${STARTED[*]}"
}

teardown_file() {
    read -ra STARTED <<<"$PIDS"
    stop_all
}

setup() {
    cd "$BATS_FILE_TMPDIR" || return
    rm -f k c.csr c.pem
    csr-build --new-key ec:P-256 --key-out k --dns "n$BATS_TEST_NUMBER.domain.com" -o c.csr
    acme-order run -q -o c.pem <c.csr
    SERIAL=$(openssl x509 -in c.pem -noout -serial | cut -d= -f2)
}

in_crl() { # WORDS: the CRL, verified, has the certificate with this reason
    curl -sf --cacert "$CA_FILE" "${CA_DIRECTORY%/directory}/crl" |
        openssl crl -inform der -CAfile ca/intermediate.pem -text -noout >crl.txt 2>crl.err
    grep -q "verify OK" crl.err
    grep -A 4 "Serial Number: $SERIAL" crl.txt | grep -q "$1"
}

not_in_crl() {
    curl -sf --cacert "$CA_FILE" "${CA_DIRECTORY%/directory}/crl" | openssl crl -inform der -text -noout >crl.txt
    grep -q "Certificate Revocation List" crl.txt
    run grep "$SERIAL" crl.txt
    [ "$status" = 1 ]
}

fails_with() { # STATUS CODE OPTION...; the certificate is on standard input
    local expected=$1 code=$2
    shift 2
    run acme-order revoke --json "$@"
    echo "$output"
    [ "$status" = "$expected" ]
    [[ "$output" == *"\"code\": \"$code\""* ]]
}

@test "ACME-37a: by the account; nothing is printed, the CRL has it, a second time is alreadyRevoked" {
    run acme-order revoke --reason superseded <c.pem
    [ "$status" = 0 ]
    [ -z "$output" ]
    in_crl Superseded
    fails_with 77 alreadyRevoked <c.pem
    [[ "$output" == *"nothing remains to be done"* ]]
}

@test "ACME-37b, ACME-06b: by the certificate's key, without any account, DER on standard input; the document" {
    openssl x509 -in c.pem -outform der -out c.der
    acme-order revoke --account none.json --directory "$CA_DIRECTORY" --ca-file "$CA_FILE" --cert-key k --reason 1 \
        --json -o r.json <c.der
    jq -e --arg serial "${SERIAL,,}" '.type == "revocation" and .version == 1 and .reason == 1 and
        .reasonName == "keyCompromise" and .signedBy == "certificate" and .serial == $serial' r.json
    in_crl "Key Compromise"
}

@test "ACME-37a: another account is unauthorized, until it is authorized for every name" {
    acme-account register --account other.json --directory "$CA_DIRECTORY" --ca-file "$CA_FILE" -q -o /dev/null
    fails_with 77 unauthorized --account other.json <c.pem
    [[ "$output" == *--cert-key* ]]
    acme-preauth run -q --account other.json --dns-update "$DNS_SERVER" --tsig-key "$TSIG_KEY" -o /dev/null "n$BATS_TEST_NUMBER.domain.com"
    acme-order revoke --account other.json <c.pem
    in_crl "Revocation Date"
}

@test "ACME-37b, ACME-37c: a key of another certificate, a reason the CA refuses, one that is none, input that is none" {
    csr-build --new-key ec:P-256 --key-out "other$BATS_TEST_NUMBER" --dns x.domain.com -o /dev/null
    fails_with 65 certificateKeyMismatch --cert-key "other$BATS_TEST_NUMBER" <c.pem
    fails_with 65 badRevocationReason --reason removeFromCRL <c.pem
    fails_with 64 badReason --reason nonsense <c.pem
    fails_with 64 noCertKey --directory "$CA_DIRECTORY" <c.pem
    fails_with 65 badInput <c.csr
    fails_with 65 emptyInput </dev/null
    fails_with 78 noAccount --account none.json --cert-key k <c.pem
    chmod 644 k
    fails_with 78 keyPermissions --cert-key k <c.pem
    not_in_crl
}

@test "ACME-37b: a certificate made up with the number of another one revokes nothing" {
    openssl ecparam -name prime256v1 -genkey -noout -out forged.key
    chmod 600 forged.key
    openssl req -x509 -new -key forged.key -subj "/CN=forged" -set_serial "0x$SERIAL" -days 1 -out forged.pem
    fails_with 77 malformed --cert-key forged.key <forged.pem
    not_in_crl
}

@test "ACME-37a: a CA without revokeCert is 69 revokeCertUnsupported" {
    set_fault missing=revokeCert
    rm -f acct.json.d/directory.json
    fails_with 69 revokeCertUnsupported <c.pem
    set_fault missing=off
    rm -f acct.json.d/directory.json
    acme-order revoke <c.pem
}
