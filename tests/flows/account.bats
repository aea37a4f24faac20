#!/usr/bin/env bats
# acme-account beyond register: external accounts, types of keys, rollover; against Pebble and acme-ca.

load ../lib/common
load ../lib/pebble
load ../lib/ca

KID=kid-1
MAC_KEY=zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W

setup() {
    cd "$BATS_TEST_TMPDIR" || return
}

teardown() {
    stop_all
}

register() { # OPTION...
    acme-account register -q --directory "$PEBBLE_DIRECTORY" --ca-file "$PEBBLE_CA" --agree-tos -o account.json "$@"
}

fails_with() { # STATUS CODE COMMAND...
    local expected=$1 code=$2
    shift 2
    run "$@"
    echo "$output"
    [ "$status" = "$expected" ]
    [[ "$output" == *"\"code\": \"$code\""* ]]
}

type_of() { # FILE: the kind of key in it
    openssl pkey -in "$1" -noout -text | head -n 1
}

@test "ACME-17a, ACME-17b: an external account binding: bound with its key, refused without it or with another; nothing shows the key" {
    export PEBBLE_EAB_KEYS="{\"$KID\": \"$MAC_KEY\"}"
    start_pebble "$PWD/pebble"
    echo "$MAC_KEY" >mac
    fails_with 77 externalAccountRequired register --json
    fails_with 64 halfExternalAccount register --json --eab-kid "$KID"
    fails_with 78 config register --json --eab-kid "$KID" --eab-key-file nowhere
    echo "what is this?" >junk
    fails_with 78 badMacKey register --json --eab-kid "$KID" --eab-key-file junk
    [[ "$output" != *"what is this"* ]]
    echo "AAAA$MAC_KEY" >wrong
    fails_with 77 unauthorized register --json --eab-kid "$KID" --eab-key-file wrong
    fails_with 77 unauthorized register --json --eab-kid stranger --eab-key-file mac
    register -vv --trace t.jsonl --eab-kid "$KID" --eab-key-file mac 2>err
    [ "$(jq -r .status account.json)" = valid ]
    run grep -F "$MAC_KEY" t.jsonl err account.json acct.json
    [ "$status" = 1 ]
    # The account is found again without the binding, as RFC 8555 section 7.3.1 has it.
    register --only-existing
    acme-account show -q -o shown.json
    [ "$(jq -r .url shown.json)" = "$(jq -r .url account.json)" ]
}

@test "ACME-19a: rollover through every type of key; the account stays, the old key is of no more use" {
    start_pebble "$PWD/pebble" PEBBLE_WFE_NONCEREJECT=50
    register --contact mailto:ops@example.org
    local type
    for type in ec:P-384 ec:P-521 rsa:2048 rsa:3072 rsa:4096 ec:P-256; do
        cp -p acct.key old.key
        acme-account rollover -q --key-type "$type" -o rolled.json
        [ "$(jq -r .url rolled.json)" = "$(jq -r .url account.json)" ]
        [ "$(stat -c %a acct.key)" = 600 ]
        [ ! -e acct.key.next ]
        acme-account show -q -o shown.json
        jq --arg k "$PWD/old.key" '.keyFile = $k' acct.json >old.json
        chmod 600 old.json
        run acme-account show --json --account old.json
        [ "$status" != 0 ]
    done
    # Without a type it stays as it is.
    acme-account rollover -q -o rolled.json
    [[ "$(type_of acct.key)" == *"256 bit"* ]]
    [ "$(jq -r '.contact[0]' rolled.json)" = mailto:ops@example.org ]
}

@test "ACME-19a, FAULT-20: a rollover killed before the request goes on with its key; killed after it, it is completed" {
    start_pebble "$PWD/pebble"
    register
    # The new key is on disk, the CA has not heard of it.
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out acct.key.next 2>/dev/null
    chmod 600 acct.key.next
    cp acct.key.next expected.key
    run acme-account show
    [[ "$output" == *"complete it with acme-account rollover"* ]]
    acme-account rollover -q -o rolled.json
    diff <(openssl pkey -in expected.key -pubout) <(openssl pkey -in acct.key -pubout)
    # The CA has the new key, the file still the old one.
    cp -p acct.key old.key
    acme-account rollover -q -o rolled.json
    mv acct.key acct.key.next
    cp -p old.key acct.key
    acme-account rollover -q --trace t.jsonl -o rolled.json
    run grep -c keyChange t.jsonl
    [ "$output" = 0 ]
    [ ! -e acct.key.next ]
    acme-account show -q -o shown.json
    [ "$(jq -r .url shown.json)" = "$(jq -r .url account.json)" ]
}

@test "ACME-19a, FAULT-16: a key of another account is refused before the CA is asked to change it; the old key stays" {
    start_pebble "$PWD/pebble"
    register
    register --account other.json
    cp -p other.key acct.key.next
    fails_with 65 keyInUse acme-account rollover --json --trace t.jsonl
    run grep -c keyChange t.jsonl
    [ "$output" = 0 ]
    rm acct.key.next
    acme-account rollover -q -o rolled.json
    acme-account show -q -o shown.json
    [ "$(jq -r .url shown.json)" = "$(jq -r .url acct.json)" ]
}

@test "ACME-19a: a CA that cannot be reached leaves the new key for the next run; a wrong type is usage" {
    start_pebble "$PWD/pebble"
    register
    cp -p acct.key old.key
    fails_with 64 badKeyType acme-account rollover --json --key-type dsa
    cmp acct.key old.key
    stop_all
    fails_with 69 connect acme-account rollover --json
    cmp acct.key old.key
}

@test "ACME-07a: accounts with every type of key at acme-ca, Ed25519 included" {
    start_ca "$PWD/ca"
    local type
    for type in ec:P-256 ec:P-384 ec:P-521 rsa:2048 ed25519; do
        acme-account register -q --account "$type.json" --directory "$CA_DIRECTORY" --ca-file "$CA_FILE" --key-type "$type" -o account.json
        acme-account show -q --account "$type.json" -o shown.json
        [ "$(jq -r .url shown.json)" = "$(jq -r .url account.json)" ]
    done
}

@test "SEC-09: an encrypted account key: made, opened by file, descriptor and prompt, kept encrypted by rollover" {
    start_ca "$PWD/ca"
    umask 077
    echo "correct horse CANARY" >pass
    echo "wrong horse" >wrong
    acme-account register -vv --trace t.jsonl --directory "$CA_DIRECTORY" --ca-file "$CA_FILE" \
        --account-passphrase-file pass -o account.json 2>err
    grep -F "BEGIN ENCRYPTED PRIVATE KEY" acct.key
    openssl pkey -in acct.key -passin file:pass -noout
    acme-account show -q --account-passphrase-file pass -o shown.json
    acme-account show -q --account-passphrase-file /dev/fd/7 -o shown.json 7<pass
    ACMETOOL_ACCOUNT_PASSPHRASE_FILE=pass acme-account show -q -o shown.json
    run python3 "$ROOT/tests/lib/answer_prompt.py" "passphrase of acct.key: " "correct horse CANARY" acme-account show --json
    echo "$output"
    [ "$status" = 0 ]
    [[ "$output" == *'"status": "valid"'* ]]
    [[ "$output" != *CANARY* ]]
    # Nobody to ask, a wrong one, an empty file: the host is set up wrongly, and nothing hangs.
    run setsid -w acme-account show --json </dev/null
    [ "$status" = 78 ]
    [[ "$output" == *encrypted* ]]
    run acme-account show --json --account-passphrase-file wrong
    [ "$status" = 78 ]
    [[ "$output" == *"wrong passphrase"* ]]
    : >empty
    fails_with 78 noPassphrase acme-account show --json --account-passphrase-file empty
    run grep -l CANARY t.jsonl err account.json acct.json
    [ "$status" = 1 ]
}

@test "SEC-09, ACME-19a: rollover of an encrypted key makes an encrypted key; orders are signed with it" {
    start_pebble "$PWD/pebble"
    echo "correct horse" >pass
    export ACMETOOL_ACCOUNT_PASSPHRASE_FILE=$PWD/pass
    register
    acme-account rollover -q -o rolled.json
    grep -F "BEGIN ENCRYPTED PRIVATE KEY" acct.key
    csr-build --new-key ec:P-256 --key-out k --dns h.example.org -o c.csr
    acme-order new -q -o o.json <c.csr
    [ "$(jq -r .status o.json)" = pending ]
}

@test "ACME-44a, ACME-44b, SEC-27: contacts that no CA may accept are refused before the network, by register and update" {
    local nowhere=https://127.0.0.1:1/directory contact
    for contact in 'mailto:a@example.org?subject=x' 'mailto:a@example.org,b@example.org' 'mailto:?to=a@example.org' \
        mailto: ops@example.org 'mailto:a%2Cb@example.org,c@example.org' 'mailto:a@example.org#x'; do
        fails_with 64 invalidContact acme-account register --json --directory "$nowhere" --contact mailto:ops@example.org \
            --contact "$contact"
        [[ "$output" == *"--contact: contact $contact: "* ]]
        [ ! -e account.key ] # nor is anything created
        echo "{\"directory\":\"$nowhere\",\"url\":\"https://127.0.0.1:1/a\",\"keyFile\":\"none.key\"}" >old.json
        fails_with 64 invalidContact acme-account update --json --account old.json --contact "$contact"
    done
    # Others are the CA's to judge.
    run acme-account register --json --directory "$nowhere" --contact tel:+1-201-555-0123 --contact 'mailto:%22a%2Cb%22@example.org'
    [ "$status" = 69 ]
}
