#!/usr/bin/env bats
# examples/: what can be checked without servers. tests/flows/examples.bats runs the rest.

bats_require_minimum_version 1.5.0
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
    cp tls-root.pem ops-ca.pem
    mkdir -p ca
    echo user:secret >masa.login
    umask 077
    echo "swan:est:$(printf %s swan:est:secret | sha256sum | cut -d ' ' -f 1):device0007.iot.domain.com" >users.digest
    echo "hmac-sha256:acme.key:$(openssl rand -base64 32)" >tsig.key
    openssl rand -base64 24 >switches.secret
    openssl rand -hex 32 >admin.token
    openssl rand -hex 32 >webhook.key
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
        sed -E '/^#(issuer|issuer_env|hook|hook_cleanup|webroot|account_passphrase_file|authz_file|postgresql|password_file|instance|lease|crl_folder) /! s/^#([a-z_0-9]+ = |\[)/\1/' full.toml >all.toml
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
        '\[listen\] (est|proxy_protocol)|(\[est\]|\[clients.basic\]|\[clients.digest\]) .*'
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

@test "examples: systemd-analyze finds nothing in the units" {
    command -v systemd-analyze >/dev/null || skip "no systemd-analyze"
    mkdir units
    local unit
    for unit in "$EXAMPLES"/systemd/*@*; do
        sed "s,/usr/bin/,$BUILD/bin/,; s,=+/etc/.*,=+/bin/true," "$unit" >"units/$(basename "$unit")"
    done
    run systemd-analyze verify --man=no "$PWD"/units/*.service "$PWD"/units/*.timer
    echo "$output"
    [ "$status" = 0 ]
    # It reads other packages' units as well.
    [ -z "$(grep -v '^/lib/systemd/system/' <<<"$output")" ]
    # A misspelt key is noticed.
    sed -i 's/^LoadCredential/LoadCredentials/' units/acme-certificate@.service
    run systemd-analyze verify --man=no "$PWD"/units/*.service
    [[ $output == *"Unknown key 'LoadCredentials'"* ]]
}

@test "OPR-75: examples: the Kubernetes objects fit together, and est-relay takes the configuration with secrets as they are mounted" {
    python3 "$ROOT/tests/lib/kubernetes.py" "$EXAMPLES"/kubernetes/*.yaml >relay.toml
    stand_ins
    # As the volumes have them: what is not secret beside relay.toml, the rest where the image's environment says.
    local name
    mkdir secrets
    for name in acct.json acct.key tsig.key ra.pem ra.key; do mv "$name" secrets; done
    (umask 077 && echo password >secrets/db-password)
    (umask 077 && openssl rand -hex 32 >secrets/admin-token)
    CREDENTIALS_DIRECTORY=$PWD/secrets run est-relay check --config relay.toml
    echo "$output"
    # It is good but for the database, which is not here.
    [ "$status" = 78 ]
    [ "$(grep -c '^fail' <<<"$output")" = 1 ]
    [[ $output == *"fail"*postgresql* ]]
    grep -F "$(sed -n 's/.*"CREDENTIALS_DIRECTORY=\(.*\)".*/\1/p' "$ROOT/packaging/oci-layout")" "$EXAMPLES/kubernetes/relay.yaml"
    # What does not fit is noticed.
    local change
    for change in 's/{port: est}/{port: tse}/' 's/{name: secrets, mountPath/{name: secret, mountPath/' 's/create secret tls relay-tls/create secret tls relay/' \
        's|path: /readyz|path: /ready|' 's/drop: \[ALL\]/drop: [KILL]/' 's/minAvailable: 1/&\n  x: [/'; do
        sed "$change" "$EXAMPLES/kubernetes/relay.yaml" >changed.yaml
        run ! python3 "$ROOT/tests/lib/kubernetes.py" changed.yaml "$EXAMPLES/kubernetes/postgresql.yaml"
    done
}

@test "examples: README.md names each of them, and nothing else" {
    diff <(cd "$EXAMPLES" && find . -mindepth 1 -maxdepth 2 ! -name README.md \( -type f -o -name '*.d' \) | sed 's|^\./||' |
        sort) <(sed -n 's/^| `\([^`]*\)` .*/\1/p' "$EXAMPLES/README.md" | sort)
}

@test "FLD-U18, OPR-43: the quickstart prints commands that can be copied, explains each flow, and sends what its pictures show" {
    ACMETOOL_BUILD=$BUILD TMPDIR=$PWD "$EXAMPLES/quickstart" >out 2>err || { tail -n 20 out err; false; }
    local number verb folder
    for number in 3 4 5 6 7; do
        # A sentence after each heading.
        grep -A 1 -E "^== flow $number, " out | tail -n 1 | grep -E '^[A-Z][a-z]* .{40,}'
    done
    # What reads standard input names the file.
    sed -n 's/^\$ //p' out >commands
    for verb in 'preauth publish' 'preauth respond' 'preauth cleanup' 'order new' 'order finalize' 'order download' 'enroll simpleenroll'; do
        grep -E "^[a-z]+-$verb " commands >these
        ! grep -vE ' <[a-z0-9]+\.(json|csr)$' these || false
    done
    # As they are printed they run, in the folder and with the environment that are printed.
    folder=$(sed -n 's/^  cd //p' out)
    {
        sed -n '/^  cd /p; /^  export PATH=/p' out
        echo 'set -e'
        grep -E '^(openssl|brski-masa log|csr-build .*--dns)' commands | sed 's/sub\.key/again.key/'
    } >again
    [ "$(grep -cE '^(openssl|brski-masa|csr-build)' again)" -ge 8 ]
    [ -d "$folder" ]
    bash again
    # The pictures of docs are of such a run; another message is noticed.
    "$ROOT/docs/pictures" --check "$folder"
    sed -i 's|>POST /finalize<|>POST /final<|' "$folder/flow4.svg"
    run "$ROOT/docs/pictures" --check "$folder"
    echo "$output"
    [ "$status" = 1 ]
    [[ $output == "docs/flow4.svg is out of date"*"only there: RA > ACME: POST /final "* ]]
}

@test "FLD-U18: the build of the quickstart shows lines now and then without a terminal, and whatever is no progress" {
    eval "$(sed -n '/^sparingly() {/,/^}/p' "$EXAMPLES/quickstart")"
    { for n in $(seq 500); do echo "[$n/500] Building"; done; echo "warning: x"; } | sparingly >shown
    [ "$(grep -c Building shown)" -lt 100 ]
    head -n 1 shown | grep -Fx '[1/500] Building'
    grep -x 'warning: x' shown
}
