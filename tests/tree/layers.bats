#!/usr/bin/env bats
# docs/layers: what it finds in a small tree.

load ../lib/common

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    mkdir -p docs apps/one apps/two apps/common
    cp "$ROOT/docs/layers" "$ROOT/docs/ARCHITECTURE.md" docs
    local folder
    for folder in "$ROOT"/libacmetool/*/; do
        mkdir -p "libacmetool/$(basename "$folder")"
    done
}

# file PATH INCLUDED...: a source with these includes.
file() { printf '#include "%s"\n' "${@:2}" >"$1"; }

# complains TEXT: docs/layers fails with that one complaint.
complains() {
    run docs/layers
    echo "$output"
    [ "$status" = 1 ]
    [ "$output" = "$1" ]
}

@test "layers: includes that go down are good" {
    file libacmetool/est/a.cpp est/a.h base/text.h acmetool/export.h
    file libacmetool/relay/a.cpp cli/program.h est/a.h
    file apps/one/main.cpp one/part.h common/part.h relay/a.h
    run docs/layers
    [ "$status" = 0 ]
    [[ $output == *" 3 arrows between them, all down" ]]
}

@test "layers: an include that goes up or sideways fails" {
    file libacmetool/base/a.h base/b.h store/c.h
    complains "libacmetool/base/a.h:2: store/c.h: goes up"
    file libacmetool/base/a.h base/b.h
    file libacmetool/est/a.h acme/c.h
    complains "libacmetool/est/a.h:1: acme/c.h: goes sideways"
    rm libacmetool/est/a.h
    file libacmetool/cli/a.cpp base/b.h http/c.h
    complains "libacmetool/cli/a.cpp:2: http/c.h: cli may include only base and store"
    file libacmetool/cli/a.cpp elsewhere/c.h
    complains "libacmetool/cli/a.cpp:1: elsewhere/c.h: no folder of the table"
}

@test "layers: a program that includes another one's file fails" {
    file apps/one/main.cpp common/part.h two/part.h
    complains "apps/one/main.cpp:2: two/part.h: belongs to another program"
    rm apps/one/main.cpp
    file apps/common/part.h one/part.h
    complains "apps/common/part.h:1: one/part.h: belongs to another program"
}

@test "layers: OpenSSL outside crypto/, or by one of its headers, fails" {
    echo '#include <openssl/x509.h>' >libacmetool/crypto/a.h
    file libacmetool/crypto/b.h crypto/a.h
    file libacmetool/crypto/c.cpp crypto/b.h
    file libacmetool/crypto/c.h crypto/d.h
    echo '#include <openssl/ssl.h>' >libacmetool/http/tls_client.cpp
    file libacmetool/est/a.cpp crypto/c.h
    run docs/layers
    [ "$status" = 0 ]
    file libacmetool/est/a.cpp crypto/b.h
    complains "est/a.cpp: only crypto/ includes <openssl/...>, or what includes it"
    rm libacmetool/est/a.cpp
    echo '#include <openssl/rand.h>' >apps/one/main.cpp
    complains "one/main.cpp: only crypto/ includes <openssl/...>, or what includes it"
}

@test "layers: files that include each other fail" {
    file libacmetool/base/a.h base/b.h
    file libacmetool/base/b.h base/c.h
    file libacmetool/base/c.h base/a.h
    complains "a circle: base/a.h -> base/b.h -> base/c.h -> base/a.h"
}

@test "layers: a folder that the table or the page does not have fails" {
    mkdir libacmetool/extra
    complains "libacmetool/extra: not in the table of docs/layers"
    rmdir libacmetool/extra libacmetool/dns
    complains "libacmetool/dns: in the table, but not there"
    mkdir libacmetool/dns
    sed -i '/^dns  /d' docs/ARCHITECTURE.md
    complains "docs/ARCHITECTURE.md: no row for dns/"
    sed -i 's/^net  /dns   \n&/; s/^base  /extra \n&/' docs/ARCHITECTURE.md
    complains "docs/ARCHITECTURE.md: there is no extra/"
    sed -i '/^extra /d; /^base /d; s/^cli  /base \n&/' docs/ARCHITECTURE.md
    complains "docs/ARCHITECTURE.md: the rows are not in the order of docs/layers"
}
