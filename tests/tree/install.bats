#!/usr/bin/env bats
# What is installed, and that a stranger's program builds with it.

load ../lib/common
load ../lib/ca
load ../lib/dns

setup() {
    cd "$BATS_TEST_TMPDIR" || return
}

teardown() {
    stop_all
}

install_tree() {
    cmake --install "$BUILD" --prefix "$PWD/tree" >/dev/null
    export LD_LIBRARY_PATH=$PWD/tree/lib
    PATH="$PWD/tree/bin:$PATH"
    LIBRARY=tree/share/doc/acme-integrations/examples/library
}

@test "installed: a program is built by pkg-config, and each public header by itself" {
    install_tree
    export PKG_CONFIG_PATH=$PWD/tree/lib/pkgconfig
    # shellcheck disable=SC2046,SC2086 # words
    g++ -std=c++20 -Wall -Wextra -Wpedantic -Werror $(pkg-config --cflags libacmetool) "$LIBRARY/order.cpp" $(pkg-config --libs libacmetool) -o user
    run ./user
    [ "$status" = 64 ]
    [ "$(pkg-config --modversion libacmetool)" = 0.1.0 ]
    readelf -d user | grep -F 'libacmetool.so.0.1]'
    local header
    for header in $(cd tree/include && find acmetool -name '*.h'); do
        echo "#include <$header>" | g++ -std=c++20 -fsyntax-only -Wall -Wextra -Wpedantic -Werror -Itree/include -x c++ -
    done
}

@test "installed: the example of the library is built by find_package, and orders a certificate" {
    install_tree
    [ "$(wc -l <"$LIBRARY/order.cpp")" -le 60 ]
    cp -r "$LIBRARY" project
    cmake -S project -B build -DCMAKE_PREFIX_PATH="$PWD/tree" >/dev/null
    cmake --build build >/dev/null
    sed -i 's/acmetool 0.1/acmetool 0.2/' project/CMakeLists.txt
    run cmake -S project -B other -DCMAKE_PREFIX_PATH="$PWD/tree"
    [ "$status" != 0 ]

    start_knot "$PWD/dns" domain.com
    start_ca "$PWD/ca" --dns-server "$DNS_SERVER"
    acme-account register --directory "$CA_DIRECTORY" --ca-file "$CA_FILE" -q -o account.json
    csr-build --new-key ec:P-256 --key-out key.pem --dns device.domain.com -o device.csr
    local order=(build/order "$CA_DIRECTORY" "$CA_FILE" acct.key)
    run "${order[@]}" <device.csr
    [ "$status" = 1 ]
    [ "$output" = "the order is pending: authorize its names first" ]
    acme-preauth run -q --subdomains --dns-update "$DNS_SERVER" --tsig-key "$TSIG_KEY" -o authz.json domain.com
    "${order[@]}" <device.csr >chain.pem
    openssl verify -CAfile "$CA_ROOT" -untrusted chain.pem chain.pem
    openssl x509 -in chain.pem -noout -ext subjectAltName | grep -F DNS:device.domain.com
    run "${order[@]}" </dev/null
    [ "$status" = 1 ]
    openssl ecparam -genkey -name prime256v1 -noout -out acct.key # of nobody
    run "${order[@]}" <device.csr
    [ "$status" = 1 ]
}

@test "installed: the examples, of which those that are programs can be run" {
    install_tree
    cd tree/share/doc/acme-integrations/examples
    diff <(cd "$ROOT/examples" && find . -type f -executable ! -name quickstart | sort) <(find . -type f -executable | sort)
    diff -r --exclude=quickstart "$ROOT/examples" .
}

@test "installed: what is not public is hidden" {
    install_tree
    [ ! -e tree/include/acmetool/cli ]
    # Internal helpers without an export mark, and everything of the libraries that are compiled in.
    run bash -c 'nm -DC --defined-only tree/lib/libacmetool.so.0.1 | grep -E "acmetool::crypto::(memory_bio|contents|openssl_failure)|CLI::App::|boost::beast::" | grep " T "'
    echo "$output"
    [ "$status" = 1 ]
    # What the public headers declare has the library's version, what only the programs need another one.
    nm -DC --defined-only tree/lib/libacmetool.so.0.1 >symbols
    grep -E ' T acmetool::crypto::parse_csr\(.*@@ACMETOOL_0\.1$' symbols
    grep -E ' T acmetool::acme::OrderFlow::next\(.*@@ACMETOOL_0\.1$' symbols
    grep -E ' T acmetool::store::read_file.*@@ACMETOOL_PRIVATE$' symbols
    ! grep -vE '(acmetool::.*@@ACMETOOL_(0\.1|PRIVATE)|A ACMETOOL_(0\.1|PRIVATE))$' symbols || false
}

# units_are_in TREE PREFIX: what is installed in TREE for PREFIX has every program that its units run, at its path there.
units_are_in() {
    local program count=0
    for program in $(sed -nE 's/^Exec[A-Za-z]*=\+?([^ ]*).*/\1/p' "$1"/lib/systemd/system/*.service | sort -u); do
        [ "$program" != /bin/kill ] || continue
        echo "$program"
        [[ $program == "$2"/* ]]
        [ -x "$1/${program#"$2/"}" ]
        count=$((count + 1))
    done
    [ "$count" = 5 ]
}

@test "FLD-U5: the installed units run the programs that were installed with them, wherever that is" {
    DESTDIR=$PWD/image cmake --install "$BUILD" --prefix /usr/local >/dev/null
    units_are_in image/usr/local /usr/local
    cmake --install "$BUILD" --prefix "$PWD/else/where" >/dev/null
    units_are_in else/where "$PWD/else/where"
    # They start there without ldconfig.
    local program
    for program in else/where/bin/*; do
        [ "$(env -u LD_LIBRARY_PATH "$program" --version)" = "$(basename "$program") 0.1.0" ]
    done
}

@test "FLD-U5: README's install line installs what the build and the programs need" {
    local task program
    task=$(sed -n 's|^packaging/install-packages \([a-z]*\) .*|\1|p' "$ROOT/README.md")
    "$ROOT/packaging/link-programs" "$task" programs
    for program in cmake ninja c++ pkg-config; do [ -x "programs/$program" ]; done
    # Libraries that they are linked to, or load; trust anchors of public CAs; the list of public suffixes.
    ldd "$BUILD"/bin/{csr-build,acme-ca,est-relay,teap-relay,est-enroll} "$BUILD/lib/libacmetool.so" |
        awk '$2 == "=>" && $3 ~ "^/" { print $1 }' | grep -v '^libacmetool' | sort -u >needed
    grep -aoE 'lib(curl|sqlite3|ldns|idn2|psl)\.so\.[0-9]' "$BUILD/lib/libacmetool.so" | sort -u >loaded
    [ "$(grep -c . loaded)" = 5 ]
    cat loaded >>needed
    echo /usr/sbin/update-ca-certificates >>needed
    echo /usr/share/publicsuffix/public_suffix_list.dafsa >>needed
    grep -q libssl needed
    python3 "$ROOT/tests/lib/check_packages.py" "$ROOT/packaging" "$task" <needed
}

@test "builds: programs and library are hardened" {
    local file x86=false
    [ "$(uname -m)" != x86_64 ] || x86=true
    for file in "$BUILD"/bin/{csr-build,acme-account,acme-preauth,acme-order,acme-ca,acme-trace,est-enroll,est-relay,teap-relay,teap-enroll,brski-pledge,brski-masa} "$BUILD"/lib/libacmetool.so; do
        echo "$file"
        readelf -hW "$file" | grep -E 'Type: +DYN'
        readelf -lW "$file" | grep -F GNU_RELRO
        readelf -dW "$file" | grep -E 'FLAGS_1.*NOW|BIND_NOW'
        ! readelf -lW "$file" | grep -E 'GNU_STACK.* RWE' || false
        # Debian's own start files have no mark for CET, so the linker leaves it out of the programs.
        if "$x86"; then objdump -d --no-show-raw-insn -j .text "$file" | grep -F -m 1 endbr64; fi
    done
    nm -D --undefined-only "$BUILD/lib/libacmetool.so" >undefined
    grep -F __stack_chk_fail undefined
    grep -E '__(memcpy|read|vsnprintf|snprintf|memset|memmove)_chk' undefined # _FORTIFY_SOURCE
    grep -E 'std::__glibcxx_assert_fail' <(nm -DC --undefined-only "$BUILD/lib/libacmetool.so")
}

@test "builds: warnings are errors only in the project's presets; every build type is hardened" {
    local type
    for type in Release Debug RelWithDebInfo MinSizeRel ""; do
        cmake -S "$ROOT" -B "plain$type" ${type:+-DCMAKE_BUILD_TYPE=$type} >/dev/null
        run grep -c -e -Werror "plain$type/compile_commands.json"
        [ "$output" = 0 ]
        grep -F -- '-fstack-protector-strong -fstack-clash-protection' "plain$type/compile_commands.json" >/dev/null
        grep -F -- -D_GLIBCXX_ASSERTIONS "plain$type/compile_commands.json" >/dev/null
        [ "$type" = Debug ] || grep -F -- -D_FORTIFY_SOURCE=2 "plain$type/compile_commands.json" >/dev/null
        grep -r -F --include=link.txt -- '-Wl,-z,relro -Wl,-z,now' "plain$type" >/dev/null
    done
    grep -F -- -Werror "$BUILD/compile_commands.json" >/dev/null
}
