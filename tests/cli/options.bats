#!/usr/bin/env bats
# Options: how a program reads them, and that --help and the manual pages agree; so do the keys of the relays' configuration.

load ../lib/common

setup() {
    cd "$BATS_TEST_TMPDIR" || return
}

PROGRAMS=(csr-build acme-account acme-preauth acme-order acme-ca acme-trace est-enroll est-relay teap-relay teap-enroll brski-pledge brski-masa)

verbs_of() { # PROGRAM
    "$1" --help --json | jq -r '.commands[].name // empty'
}

@test "FLD-U12: manual pages have every option with the metavariable and the default of --help, and no other" {
    local program failed=0
    for program in "${PROGRAMS[@]}"; do
        "$program" --help --json | "$ROOT/tests/lib/man_options.py" "$ROOT/man" "$program" || failed=1
        grep -q '^\.Xr acmetool-options 7' "$ROOT/man/$program.1"
    done
    [ "$failed" = 0 ]
}

@test "FLD-U12: an option that the page lacks, spells otherwise or gives another default is found" {
    local edit
    cp -r "$ROOT/man" man
    acme-ca --help --json >help.json
    "$ROOT/tests/lib/man_options.py" man acme-ca <help.json
    for edit in 's/^\.It Fl -http-port Ar PORT/.It Fl -http-port Ar NUMBER/' 's/^Default: 80\./Default: 81./' \
        's/^\.It Fl -caa$/.It Fl -cab/' 's/^Default: 1d\./Some time./'; do
        sed "$edit" "$ROOT/man/acme-ca.1" >man/acme-ca.1
        ! cmp -s man/acme-ca.1 "$ROOT/man/acme-ca.1" || false
        run "$ROOT/tests/lib/man_options.py" man acme-ca <help.json
        echo "$output"
        [ "$status" = 1 ]
    done
}

@test "FLD-U17: help fits 80 columns, groups the options, has Usage with the program's name and an example per command" {
    local program verb
    for program in "${PROGRAMS[@]}"; do
        "$program" --help --json | "$ROOT/tests/lib/check-document" "$ROOT/docs/schema/help.json"
        "$program" --help >help
        [ "$(wc -L <help)" -le 80 ]
        for verb in "" $(verbs_of "$program"); do
            [ -n "$verb" ] || [ -z "$(verbs_of "$program")" ] || continue
            "$program" ${verb:+"$verb"} --help >help
            [ "$(wc -L <help)" -le 80 ]
            grep -qE "^Usage: $program${verb:+ $verb} \[OPTIONS\]" help
            grep -qx 'Common options:' help
            sed -n '/^Example:$/,/^$/p' help | grep -qE "^  $program${verb:+ $verb}( |\$)"
        done
    done
    acme-order run --help >help
    grep -E '^[A-Z][a-z]+ options:$' help >groups
    diff groups - <<<$'Account options:\nOrder options:\nSolver options:\nCommon options:'
    grep -qE '^  -o, --output FILE +Write the result' help
    grep -qE '^  --dns-wait DURATION +Longest wait' help
    acme-ca serve --help | grep -A 1 -E '^  --authz-lifetime DURATION' | grep -F '(default: 30d)'
}

@test "FLD-U17: no default is written in a unit that nobody would choose" {
    local program
    for program in "${PROGRAMS[@]}"; do "$program" --help --json; done | jq -r '.commands[].options[].default // empty' >defaults
    [ -s defaults ]
    ! grep -xE '0m|[0-9]{5,}m|[0-9]*000ms|(60|120|3600)s|(24|48|168|720)h' defaults || false
}

@test "FLD-U17: the examples in help are calls that the programs understand" {
    local program verb words
    for program in "${PROGRAMS[@]}"; do
        while IFS=$'\t' read -r verb words; do
            # The options and words of the example, with a question for help at their end.
            words=${words%%<*}
            eval "$words --help" >/dev/null
            [[ $verb == - || $words == "$program $verb"* ]]
        done < <("$program" --help --json | jq -r '.commands[] | [.name // "-", (.example | gsub("\\\\\n"; " "))] | @tsv' | sed 's/\\\\//g')
    done
}

@test "FLD-U17: options that can be repeated say so, and no others" {
    local program
    for program in "${PROGRAMS[@]}"; do
        "$program" --help --json | jq -e '[.commands[].options[] | select(.name != "verbose") |
            select(.repeatable != (.description | test("repeatable")))] == []'
    done
}

@test "FLD-U16: help, alone and with a command, is --help" {
    local program verb
    for program in "${PROGRAMS[@]}"; do
        diff <("$program" help) <("$program" --help)
        for verb in $(verbs_of "$program"); do diff <("$program" help "$verb") <("$program" "$verb" --help); done
    done
    run acme-order help dowload
    [ "$status" = 64 ]
    [[ $output == *'did you mean "download"?'* ]]
}

@test "FLD-U16: usage errors in plain words: values, words, nearest options, choices and keys" {
    told() { # TEXT PROGRAM...
        local text=$1
        shift
        run "$@"
        echo "$output"
        [ "$status" = 64 ]
        [[ $output == *"$text"* ]]
    }
    told 'did you mean "--new-key"?' csr-build --newkey ec:P-256
    told '--dns needs a value: --dns NAME' csr-build --dns
    told 'DOMAIN is required' acme-preauth run --manual
    told 'unexpected argument "sub.csr"' acme-order run sub.csr
    told 'the input comes from standard input' acme-order run sub.csr
    told 'it is an option of: authorize, run, renew' acme-order finalize --hook ./x
    told 'did you mean "certbot"?' acme-order run --hook-style cerbot
    told '"xml" must be text or json' acme-order run --log-format xml
    told '--show: "tlvs" must be flow or tlv' teap-enroll --show tlvs
    told '--label: "x" must be random' csr-build --label x
    echo 'acount = "a.json"' >c.toml
    run acme-order status --config c.toml
    [ "$status" = 78 ]
    [[ $output == *'c.toml:1:10: unknown key "acount"'*'did you mean "account"?'* ]]
}

@test "FLD-U16: wrong input is named without a parser's words" {
    run acme-order run --account none.json <<<nonsense
    [ "$status" = 65 ]
    [[ ${lines[0]} == "acme-order: error: not a certificate request" ]]
    echo nonsense >my.key
    chmod 600 my.key
    run csr-build --key my.key --dns a.example
    [ "$status" = 78 ]
    [[ ${lines[0]} == *"my.key: not a private key" ]]
}

@test "FLD-U8: a command that sends nothing refuses the options of those that do, and obeys the others" {
    local call option
    for call in csr-build 'acme-trace show' 'acme-ca serve' 'acme-ca init' 'acme-ca list' 'acme-ca eab' 'brski-masa serve' 'brski-masa sign' \
        'brski-masa log' 'brski-masa make-idevid' 'brski-pledge verify' 'est-relay blocks' 'est-relay block' 'est-relay unblock'; do
        for option in --timeout --ca-file --trace --show; do
            # shellcheck disable=SC2086 # program and command
            run $call "$option" x
            [ "$status" = 64 ]
            [[ $output == *"unknown option $option"* ]]
        done
    done
    # A relay takes its trust anchors from its configuration, and serves without an end.
    for option in '--ca-file x' '--timeout 1s'; do
        # shellcheck disable=SC2086 # option and value
        run est-relay serve --config x $option
        [ "$status" = 64 ]
    done
    # In a file, outside of a table, it is for the commands that use it; in the command's own table it is wrong.
    printf 'ca-file = "x"\ndir = "ca"\n' >c.toml
    acme-ca init --config c.toml -o root.pem
    acme-ca init --config c.toml --json | "$ROOT/tests/lib/check-document" "$ROOT/docs/schema/certificate.json"
    printf '[init]\nca-file = "x"\ndir = "ca"\n' >c.toml
    run acme-ca init --config c.toml
    [ "$status" = 78 ]
    brski-masa make-idevid --dir masa --serial s1 --key-out s1.key --json |
        "$ROOT/tests/lib/check-document" "$ROOT/docs/schema/certificate.json"
    # -v from environment and file.
    printf 'verbose = 2\n' >v.toml
    printf 'verbose = "many"\n' >w.toml
    csr-build --new-key ec:P-256 --key-out k1 --dns a.example --config v.toml
    ACMETOOL_VERBOSE=1 csr-build --new-key ec:P-256 --key-out k2 --dns a.example
    run csr-build --new-key ec:P-256 --key-out k3 --dns a.example --config w.toml
    [ "$status" = 78 ]
}

@test "keys of the relays' configuration: check --explain and the pages agree" {
    diff <(est-relay check --explain | awk '/^\[/ { section = $1; next } /^  [a-z]/ { print section, $1 }' | sort) \
        <(awk '/^\.Ss \[/ { section = $2; next } /^\.Sh / { section = "" } section && /^\.It Li / { print section, $3 }' \
            "$ROOT/man/relay.toml.5" "$ROOT/man/teap.toml.5" | sort)
}

@test "TBR-09a: the page has each number of TEAP-BRSKI that can be set, with its default" {
    local name number other
    numbers() { # ASSIGNMENT
        run teap-enroll --radius 127.0.0.1:9 --secret-file secret --number "$1"
    }
    (umask 077 && echo radius-secret >secret)
    numbers x=1
    [[ $output =~ "known names: "([a-z_, ]+) ]]
    sed -n '/^\.It \([a-z_]*\) Ta \(.*\)/s//\1 \2/p' "$ROOT/man/teap.toml.5" >page
    diff <(tr -d ' ' <<<"${BASH_REMATCH[1]}" | tr , '\n') <(cut -d ' ' -f 1 page)
    # A default cannot be given to another one of the same kind and range.
    while read -r name number; do
        case $name in
            voucher) other=request_voucher ;;
            request_voucher | retry_after | nai) other=voucher ;;
            masa_refused) other=masa_unavailable ;;
            *) other=masa_refused ;;
        esac
        numbers "$other=$number"
        [ "$status" = 64 ]
        [[ $output == *"$name already has that number"* ]] || { echo "$name $number: $output" && false; }
    done <page
}
