#!/usr/bin/env bats
# examples/: what can be checked without servers. tests/flows/examples.bats runs the rest.

load ../lib/common
load ../lib/relay
load ../lib/brski

EXAMPLES=$ROOT/examples

setup() {
    cd "$BATS_TEST_TMPDIR" || return
}

# stand_ins: the files that the configurations name.
stand_ins() {
    make_pki "$PWD"
    make_registrar_tls "$PWD"
    cp maker.pem manufacturer.pem
    cp tls-root.pem root.pem
    cp tls-root.pem masa-ca.pem
    cp ra.pem ours.pem
    cp ra.key ours.key
    mkdir -p ca
    echo user:secret >masa.login
    umask 077
    echo "hmac-sha256:acme.key:$(openssl rand -base64 32)" >tsig.key
    openssl rand -base64 24 >switches.secret
    openssl ecparam -genkey -name prime256v1 -noout -out acct.key
    echo '{"type":"account","version":1,"directory":"https://ca.example/directory","url":"https://ca.example/1","keyFile":"acct.key"}' >acct.json
}

@test "examples: minimal.toml and full.toml pass check, also with all that full.toml leaves off" {
    stand_ins
    local program folder kind
    for program in est-relay teap-relay; do
        folder=${program%-relay}
        folder=${folder/est/relay}
        for kind in minimal full; do
            cp "$EXAMPLES/$folder/$kind.toml" .
            run "$program" check --config "$kind.toml"
            echo "$program $kind: $output"
            [ "$status" = 0 ]
        done
        # These stay off: another issuer, another solver, and what belongs to another account.
        sed -E '/^#(issuer|hook|hook_cleanup|webroot|account_passphrase_file|authz_file) /! s/^#([a-z_]+ = |\[)/\1/' full.toml >all.toml
        run "$program" check --config all.toml
        echo "$program all: $output"
        [ "$status" = 0 ]
        [[ $output == *"manufacturer lab"* ]]
    done
}

@test "examples: full.toml has every key that check --explain prints, with its default" {
    python3 "$ROOT/tests/lib/compare_keys.py" est-relay "$EXAMPLES/relay/full.toml" \
        '\[listen\] radius|(\[teap\]|\[\[client\]\]|\[\[accept\]\]) .*'
    python3 "$ROOT/tests/lib/compare_keys.py" teap-relay "$EXAMPLES/teap/full.toml" \
        '\[listen\] (est|proxy_protocol)|(\[est\]|\[clients.basic\]) .*'
    # A key that is absent, unknown or has another value is noticed.
    sed '/^drain/d; s/^idle = "30s"/idle = "31s"/; s/^body/bodies/' "$EXAMPLES/relay/full.toml" >wrong.toml
    run python3 "$ROOT/tests/lib/compare_keys.py" est-relay wrong.toml \
        '\[listen\] radius|(\[teap\]|\[\[client\]\]|\[\[accept\]\]) .*'
    echo "$output"
    [ "$status" = 1 ]
    [[ $output == *"lacks [limits] body"*"lacks [limits] drain"* ]]
    [[ $output == *"has [limits] bodies"* ]]
    [[ $output == *"[limits] idle is 31s, its default is 30s"* ]]
}

@test "examples: systemd-analyze finds nothing in the units and in the drop-in" {
    command -v systemd-analyze >/dev/null || skip "no systemd-analyze"
    mkdir units
    local unit
    for unit in "$ROOT"/packaging/systemd/acme-preauth-renew.* "$EXAMPLES"/systemd/*@*; do
        sed "s,/usr/bin/,$BUILD/bin/,; s,=+/etc/.*,=+/bin/true," "$unit" >"units/$(basename "$unit")"
    done
    cp -r "$EXAMPLES"/systemd/*.d units
    run systemd-analyze verify --man=no "$PWD"/units/*.service "$PWD"/units/*.timer
    echo "$output"
    [ "$status" = 0 ]
    # It reads other packages' units as well.
    [ -z "$(grep -v '^/lib/systemd/system/' <<<"$output")" ]
    # A misspelt key is noticed, in the drop-in as well.
    sed -i 's/^LoadCredential/LoadCredentials/' units/acme-preauth-renew.service.d/credentials.conf
    run systemd-analyze verify --man=no "$PWD"/units/*.service
    [[ $output == *"Unknown key 'LoadCredentials'"* ]]
}

@test "examples: README.md names each of them, and nothing else" {
    diff <(cd "$EXAMPLES" && find . -mindepth 1 -maxdepth 2 ! -name README.md \( -type f -o -name '*.d' \) | sed 's|^\./||' |
        sort) <(sed -n 's/^| `\([^`]*\)` .*/\1/p' "$EXAMPLES/README.md" | sort)
}
