#!/usr/bin/env bats
# Requests built from CSR attributes, and names that devices give themselves.

load ../lib/common

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    examples=${ACMETOOL_SHARED:-$PWD/../shared}/spec/examples
}

need_samples() {
    [ -d "$examples/made" ] || skip "no published vectors at ACMETOOL_SHARED"
}

idevid() { # SERIAL [FILE]
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout /dev/null -days 1 \
        -subj "/O=Manufacturer/serialNumber=$1" -out "${2:-idevid.pem}" 2>/dev/null
}

names() { # CSR
    openssl req -in "$1" -noout -text | sed -n '/Subject Alternative Name/{n;s/^ *//;p}'
}

@test "CSR-09a, CSR-09c: csrattrs of both forms give key type, hash and SAN, from DER, base64 and standard input" {
    need_samples
    local form
    for form in san-both san-template san-ec-pop-legacy; do
        for file in der b64; do
            csr-build --csrattrs "$examples/made/csrattrs-$form.$file" --key-out "$form.$file.key" -o out.csr
            [ "$(names out.csr)" = DNS:client.example.com ]
            openssl req -in out.csr -noout -verify
            openssl req -in out.csr -noout -text | grep -q 'ASN1 OID: prime256v1'
            [ "$(stat -c %a "$form.$file.key")" = 600 ]
        done
    done
    csr-build --csrattrs - --new-key ec:P-384 --key-out p384.key -o out.csr <"$examples/made/csrattrs-san-legacy.b64"
    [ "$(names out.csr)" = DNS:client.example.com ]
}

@test "CSR-09a, CSR-09b, CSR-09e: the samples of RFC 9908 section 5: RSA 4096 with SHA-256, P-384 with SHA-384, P-521 with SHA-512" {
    need_samples
    local sample
    while read -r sample key hash; do
        csr-build --csrattrs "$examples/csrattrs/$sample.csrattr.b64" --key-out "$sample.key" --dns a.example -o out.csr \
            2>warnings
        grep -q 'request challengePassword, which is missing; provide it with --challenge-password-file' warnings
        openssl req -in out.csr -noout -text >text
        grep -q "$key" text
        grep -q "Signature Algorithm: $hash" text
    done <<END
harkins01 (4096.bit) sha256WithRSAEncryption
harkins02 secp384r1 ecdsa-with-SHA384
harkins03 secp521r1 ecdsa-with-SHA512
END
    echo dGxz >binding
    csr-build --csrattrs "$examples/csrattrs/harkins02.csrattr.der" --key harkins02.key --dns a.example \
        --challenge-password-file binding -o out.csr 2>warnings
    [ ! -s warnings ]
    openssl req -in out.csr -noout -text | grep -q 'challengePassword *: *dGxz'
}

@test "CSR-09c, CSR-11a: a critical otherName goes into the request octet for octet" {
    need_samples
    csr-build --csrattrs "$examples/csrattrs/realistic-acp.csrattr.der" --new-key ec:P-256 --key-out k --format der -o out.csr
    openssl asn1parse -inform DER -in "$examples/csrattrs/realistic-acp.csrattr.der" | sed -n 's/.*HEX DUMP\]:\(.*\)/\1/p' >asked
    openssl asn1parse -inform DER -in out.csr | sed -n 's/.*HEX DUMP\]:\(.*\)/\1/p' >got
    cmp asked got
    openssl req -inform DER -in out.csr -noout -text | grep -q 'Alternative Name: critical'
}

@test "CSR-11b, CSR-11c: a template's holes are filled by options, or named on standard error and in the document" {
    need_samples
    local template=$examples/made/csrattrs-rfc9908-3.4-example.der
    csr-build --csrattrs "$template" --key-out a.key --ip 192.0.2.7 -o out.csr 2>warnings
    [ ! -s warnings ]
    [ "$(names out.csr)" = "DNS:www.myServer.com, IP Address:192.0.2.7" ]
    openssl req -in out.csr -noout -subject | grep -q 'CN = www.myserver.com, OU = myDept, OU = myGroup'
    openssl req -in out.csr -noout -text | grep -A1 'Key Usage: critical' | grep -q 'Digital Signature, Key Agreement'
    csr-build --csrattrs "$template" --key a.key --json 2>warnings >out.json
    grep -q 'request iPAddress of subjectAltName, which is missing; provide it with --ip' warnings
    python3 -c 'import json; d = json.load(open("out.json")); assert d["unfilled"] == ["iPAddress of subjectAltName"], d'
}

@test "CSR-09a, CSR-11a: another key type and a name without room are refused, no key is left behind" {
    need_samples
    run csr-build --csrattrs "$examples/made/csrattrs-san-both.der" --new-key rsa:2048 --key-out k --json
    [ "$status" = 65 ]
    [[ "$output" == *'"code": "csrattrsKey"'* ]]
    run csr-build --csrattrs "$examples/made/csrattrs-san-both.der" --key-out k --dns other.example.com --json
    [ "$status" = 65 ]
    [[ "$output" == *'"code": "csrattrsSan"'* ]]
    [ ! -e k ]
}

@test "CSR-12a, CSR-12b, CSR-13a: malformed csrattrs are 76 with the rule, unknown OIDs and RFC 7030's example are taken" {
    need_samples
    csr-build --csrattrs "$examples/made/csrattrs-rfc7030-4.5.2-as-printed.b64" --key-out a.key --dns a.example -o out.csr
    openssl req -in out.csr -noout -text | grep -q secp384r1
    csr-build --csrattrs "$examples/made/csrattrs-empty.b64" --key-out b.key --dns a.example -o out.csr
    python3 - "$examples/made/csrattrs-san-template.der" <<'END'
import sys
data = bytearray(open(sys.argv[1], "rb").read())
at = data.index(b"\x02\x01\x00")
data[at + 2] = 1
open("changed", "wb").write(data)
END
    run csr-build --csrattrs changed --key-out c.key --json
    echo "$output"
    [ "$status" = 76 ]
    [[ "$output" == *'"code": "csrattrs"'* ]]
    [[ "$output" == *"the template's version is not 0"* ]]
    head -c 40 "$examples/made/csrattrs-san-template.der" | base64 >cut
    run csr-build --csrattrs cut --key-out c.key
    [ "$status" = 76 ]
    [ ! -e c.key ]
}

@test "CSR-06a, CSR-15a, CSR-15c: a device's name from its certificate, a serial that is no label as a hash" {
    idevid CLIENT7
    csr-build --new-key ec:P-256 --key-out k --idevid idevid.pem --domain Example.COM -o out.csr
    [ "$(names out.csr)" = DNS:client7.example.com ]
    idevid 'SN 1:2'
    local hash
    hash=$(printf 'SN 1:2' | openssl dgst -sha256 -binary | base32 -w0 | tr 'A-Z2-7' '0-9a-v' | tr -d =)
    csr-build --key k --idevid idevid.pem --domain example.com -o out.csr
    [ "$(names out.csr)" = "DNS:h-$hash.example.com" ]
    [ "${#hash}" = 52 ]
}

@test "CSR-15b, CSR-15d: --label random is fresh and opaque, --domain auto says its source or that there is none" {
    idevid CLIENT7
    csr-build --new-key ec:P-256 --key-out k --idevid idevid.pem --label random --domain example.com -o one.csr
    csr-build --key k --label random --domain example.com -o two.csr
    [ "$(names one.csr)" != "$(names two.csr)" ]
    [[ "$(names one.csr)" =~ ^DNS:r-[0-9a-v]{26}\.example\.com$ ]]
    run csr-build --key k --label random --domain auto --json
    if [ "$status" = 0 ]; then
        [[ "$output" =~ "domain "([a-z0-9.-]+)" from "(DHCP option 15|the resolver\'s search list) ]]
        [[ "$output" == *".${BASH_REMATCH[1]}\""* ]]
    else
        [ "$status" = 69 ]
        [[ "$output" == *'"code": "noLocalDomain"'* ]]
    fi
}

@test "CSR-15a, CSR-15c: a label without domain, a domain without label, a certificate without serialNumber are told apart" {
    csr-build --new-key ec:P-256 --key-out k --dns a.example -o out.csr
    idevid CLIENT7
    run csr-build --key k --idevid idevid.pem --json
    [ "$status" = 64 ]
    [[ "$output" == *'"code": "noDomain"'* ]]
    run csr-build --key k --domain example.com --json
    [ "$status" = 64 ]
    [[ "$output" == *'"code": "noLabel"'* ]]
    run csr-build --key k --label mine --domain example.com
    [ "$status" = 64 ]
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout /dev/null -days 1 -subj /CN=x -out plain.pem \
        2>/dev/null
    run csr-build --key k --idevid plain.pem --domain example.com --json
    [ "$status" = 65 ]
    [[ "$output" == *'"code": "noSerialNumber"'* ]]
}

@test "CSR-11b, CSR-15a: a device's own name fills a hole, and gives way where the server names it" {
    need_samples
    idevid CLIENT7
    csr-build --csrattrs "$examples/made/csrattrs-san-both.der" --key-out k --idevid idevid.pem --domain example.org -o out.csr
    [ "$(names out.csr)" = DNS:client.example.com ]
    # Template: version 0, extensionReqTemplate with subjectAltName and no value.
    python3 - <<'END'
def tlv(tag, *parts):
    body = b"".join(parts)
    return bytes([tag, len(body)]) + body
def aa(number):
    return bytes.fromhex("060b2a864886f70d01091002") + bytes([number])
san = tlv(0x30, tlv(0x30, bytes.fromhex("0603551d11")))
request = tlv(0x30, b"\x02\x01\x00", tlv(0xa1, tlv(0x30, aa(62), tlv(0x31, san))))
open("open", "wb").write(tlv(0x30, tlv(0x30, aa(61), tlv(0x31, request))))
END
    csr-build --csrattrs open --key k --idevid idevid.pem --domain example.org -o out.csr
    [ "$(names out.csr)" = DNS:client7.example.org ]
}

@test "FLD-A13: a name or an address that is given twice, in whatever form, is used once" {
    csr-build --new-key ec:P-256 --key-out k --dns a.example --dns A.Example. --dns b.example --ip 2001:db8::1 \
        --ip 2001:DB8:0:0:0:0:0:1 -o out.csr
    [ "$(names out.csr)" = "DNS:a.example, DNS:b.example, IP Address:2001:DB8:0:0:0:0:0:1" ]
    acme-preauth dns-policy --json --server bind --zone example.com --key-out tsig.key a.example.com A.EXAMPLE.com >policy.json
    jq -e '.records == ["_acme-challenge.a.example.com"]' policy.json
}
