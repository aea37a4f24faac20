#!/usr/bin/env bats
# Completions of bash, zsh and fish, as these shells use them.

load ../lib/common

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    touch relay.toml 'a file.pem'
    mkdir folder
}

typed() { # SHELL LINE: as it is after Tab
    "$ROOT/tests/lib/type_at_shell.py" "$1" "$ROOT/completions/$1" <<<"$2"
}

# becomes LINE COMPLETED: in bash and zsh.
becomes() {
    local shell completed
    for shell in bash zsh; do
        completed=$(typed "$shell" "$1")
        completed=${completed%/} # zsh takes the slash of a folder back
        echo "$shell: $1 -> $completed"
        [ "$completed" = "$2" ]
    done
}

offers() { # LINE: what fish offers, with descriptions
    fish --no-config -c "source '$ROOT/completions/fish/${1%% *}.fish'; complete -C '$1'"
}

@test "FLD-U11: the completions are those that completions/generate makes of --help" {
    local shell
    "$ROOT/completions/generate" made
    for shell in bash zsh fish; do diff -r "made/$shell" "$ROOT/completions/$shell"; done
}

@test "completions/generate takes no option for a folder" {
    run "$ROOT/completions/generate" --help
    [ "$status" -eq 64 ]
    [[ $output == 'usage: completions/generate [FOLDER]' ]]
    [ ! -e --help ]
}

@test "FLD-U11: values of options, with colons in them, in bash and zsh" {
    becomes 'csr-build --new-key ec:P-3' 'csr-build --new-key ec:P-384'
    becomes 'acme-account register --key-type=rsa:3' 'acme-account register --key-type=rsa:3072'
    becomes 'acme-order run --hook-style deh' 'acme-order run --hook-style dehydrated'
    becomes 'acme-order revoke --reason keyC' 'acme-order revoke --reason keyCompromise'
    becomes 'teap-enroll --show tl' 'teap-enroll --show tlv'
    becomes 'est-enroll run --auth dig' 'est-enroll run --auth digest'
    becomes 'est-relay check --config re' 'est-relay check --config relay.toml'
    becomes 'acme-ca list --dir fo' 'acme-ca list --dir folder'
    becomes 'csr-build --dns re' 'csr-build --dns re'
}

@test "FLD-U11: commands and their options after common options, in bash and zsh" {
    becomes 'acme-order dow' 'acme-order download'
    becomes 'acme-order -q --config relay.toml dow' 'acme-order -q --config relay.toml download'
    becomes 'acme-order --json --output run run --standalone-l' 'acme-order --json --output run run --standalone-listen'
    becomes 'acme-order help fin' 'acme-order help finalize'
    becomes 'acme-preauth run --manual --subd' 'acme-preauth run --manual --subdomains'
}

@test "FLD-U11: an option that can be repeated is offered again, and no other, in bash and zsh" {
    becomes 'csr-build --dns a --dn' 'csr-build --dns a --dns'
    becomes 'acme-order run --name-server a --name-s' 'acme-order run --name-server a --name-server'
    becomes 'csr-build --json --js' 'csr-build --json --js'
    becomes 'acme-order run --hook-style lego --hook-sty' 'acme-order run --hook-style lego --hook-sty'
}

@test "FLD-U11: descriptions with colons and apostrophes in zsh and fish" {
    "$ROOT/tests/lib/type_at_shell.py" --list zsh "$ROOT/completions/zsh" >drawn <<'END'
acme-account r
acme-order run --hook-
END
    grep -F "create an account, or find the key's existing account" drawn
    grep -F "Calling convention of the hook: uacme, certbot, dehydrated or lego" drawn
    offers 'acme-account re' | grep -F "create an account, or find the key's existing account"
    offers 'acme-order run --hook-st' | grep -F "Calling convention of the hook: uacme, certbot, dehydrated or lego"
}

@test "FLD-U11: fish: values, common options before the command, repeatable options" {
    offers 'csr-build --new-key ec:P-3' | grep -E '^ec:P-384'
    offers 'acme-order run --hook-style deh' | grep -E '^dehydrated'
    offers 'acme-order revoke --reason keyC' | grep -E '^keyCompromise'
    offers 'teap-enroll --show tl' | grep -E '^tlv'
    offers 'est-enroll run --auth dig' | grep -E '^digest'
    offers 'est-relay check --config re' | grep -E '^relay\.toml'
    offers 'acme-ca list --dir fo' | grep -E '^folder/'
    offers 'acme-order -q --config relay.toml dow' | grep -E '^download'
    offers 'acme-order --json --output run run --standalone-l' | grep -E '^--standalone-listen'
    offers 'csr-build --dns a --dn' | grep -E '^--dns'
    [ -z "$(offers 'csr-build --json --js')" ]
    [ -z "$(offers 'acme-order finalize --hook-st')" ]
}
