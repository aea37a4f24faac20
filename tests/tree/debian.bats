#!/usr/bin/env bats
# The Debian packages, made of the build that is tested: what is in them, what lintian says, and that docs/INSTALL.md leads
# from them to the first device, in a fresh Debian that boots. The container image that is made of them.

bats_require_minimum_version 1.5.0
load ../lib/common
load ../lib/ca
load ../lib/dns
load ../lib/relay

# The packages are made of a checkout that is older than the release, by a user whose group may write.
setup_file() {
    export PACKAGES=$BATS_FILE_TMPDIR/packages CHECKOUT=$BATS_FILE_TMPDIR/checkout
    umask 002
    mkdir "$CHECKOUT"
    tar -C "$ROOT" --exclude=./.git --exclude=./build --exclude="./build-*" --exclude=./tests/tmp --mtime=@981173106 --mode=g=u -c . |
        tar -xp -C "$CHECKOUT"
    mkdir "$BATS_FILE_TMPDIR/work"
    TMPDIR=$BATS_FILE_TMPDIR/work ACMETOOL_BUILD=$BUILD DEB_BUILD_OPTIONS=noautodbgsym "$CHECKOUT/packaging/build-deb" --source "$PACKAGES" >"$PACKAGES.log" 2>&1 ||
        { tail -n 30 "$PACKAGES.log" && return 1; }
}

setup() {
    cd "$BATS_TEST_TMPDIR" || return
}

teardown() {
    stop_all
}

package() { echo "$PACKAGES/$1"_0.1.0_*.deb; }

# has PACKAGE REGEX...: a path of each kind is in the package.
has() {
    local expression
    dpkg-deb -c "$(package "$1")" | sed -E 's/^([^ ]+ +){5}\.//' >contents
    for expression in "${@:2}"; do grep -E "^$expression$" contents || { echo "$1 lacks $expression" && return 1; }; done
}

@test "OPR-70: programs, pages, completions, units and examples; library; headers; documents" {
    local name depends
    for name in "$ROOT"/apps/*/main.cpp; do
        name=$(basename "$(dirname "$name")")
        has acme-integrations "/usr/bin/$name" "/usr/share/man/man1/$name\.1\.gz" "/usr/share/bash-completion/completions/$name" \
            "/usr/share/zsh/vendor-completions/_$name" "/usr/share/fish/vendor_completions.d/$name\.fish"
    done
    for name in "$ROOT"/packaging/systemd/*; do has acme-integrations "/lib/systemd/system/$(basename "$name")"; done
    has acme-integrations /usr/libexec/acme-integrations/install-certificates /usr/share/acme-integrations/schema/device.json \
        /usr/share/doc/acme-integrations/examples/relay/minimal.toml /usr/share/man/man5/relay.toml.5.gz
    depends=$(dpkg-deb -f "$(package acme-integrations)" Depends)
    [[ $depends == *"libacmetool0 (= 0.1.0)"*"libc6 (>= "* ]]
    has libacmetool0 '/usr/lib/[^/]+/libacmetool\.so\.0\.1 -> libacmetool\.so\.0\.1\.0'
    # Those that it loads at their first use, too.
    depends=$(dpkg-deb -f "$(package libacmetool0)" Depends)
    for name in libssl3 libcurl4 libsqlite3-0 libpq5 libldns3 libidn2-0 libpsl5; do [[ $depends == *"$name"* ]]; done
    has libacmetool-dev /usr/include/acmetool/acme/order.h '/usr/lib/[^/]+/pkgconfig/libacmetool\.pc' \
        '/usr/lib/[^/]+/cmake/acmetool/acmetool-config\.cmake'
    [[ $(dpkg-deb -f "$(package libacmetool-dev)" Depends) == *"libacmetool0 (= 0.1.0)"*libexpected-dev* ]]
    has acme-integrations-doc /usr/share/doc/acme-integrations/README.md /usr/share/doc/acme-integrations/docs/INSTALL.md
    # They find the library where the system looks.
    dpkg-deb -x "$(package acme-integrations)" image
    for name in image/usr/bin/*; do
        run -0 readelf -d "$name"
        [[ $output != *RUNPATH* && $output != *RPATH* && $output == *libacmetool.so* ]]
    done
}

@test "OPR-70: the packages and the source package tell nothing of the checkout: no time, no mode, no folder" {
    local released name
    mkdir tree
    released=$(date -u -d "$(dpkg-parsechangelog -l "$ROOT/debian/changelog" -S Date)" '+%F %T')
    for name in "$PACKAGES"/*.deb; do
        dpkg-deb --fsys-tarfile "$name" | tar -tv --utc --full-time >>listed
        dpkg-deb -R "$name" "tree/$(basename "$name")"
    done
    tar -tv --utc --full-time -f "$PACKAGES"/acme-integrations_0.1.0.tar.* >>listed
    [ "$(wc -l <listed)" -gt 1000 ]
    ! grep -m 3 -vF " $released " listed || return 1
    ! grep -m 3 -vE '^(l|[-d]rw[-x]r-[-x]r-[-x] )' listed || return 1
    run grep -rlF -e "$ROOT" -e "$BUILD" -e "$BATS_FILE_TMPDIR" tree
    echo "$output"
    [ "$status" = 1 ]
}

@test "OPR-70: links in the documents lead to what the packages have" {
    dpkg-deb -x "$(package acme-integrations-doc)" image
    dpkg-deb -x "$(package acme-integrations)" image
    local page link count=0
    while IFS=: read -r page link; do
        link=${link#](}
        [ -e "$(dirname "$page")/${link%%[#)]*}" ] || { echo "$page: $link" && return 1; }
        count=$((count + 1))
    done < <(find image -name '*.md' -exec grep -oHE '\]\([^:#)][^:)]*\)' {} +)
    [ "$count" -gt 20 ]
}

@test "OPR-70: the symbols file of the library has its public symbols, and the build fails if one goes" {
    dpkg-deb --ctrl-tarfile "$(package libacmetool0)" | tar -xO ./symbols >symbols
    [ "$(head -n 1 symbols)" = "libacmetool.so.0.1 libacmetool0 #MINVER#" ]
    nm -D --defined-only --with-symbol-versions "$BUILD/lib/libacmetool.so" | sed -n 's/.* \(_Z[^@]*\)@@\(ACMETOOL_0.1\)$/ \1@\2 0.1.0/p' |
        sort -u >public
    [ "$(wc -l <public)" -gt 50 ]
    diff public <(grep '^ _Z.*@ACMETOOL_0.1 ' symbols | sort -u)
    # A symbol that goes is an error of the build of a later version.
    sed 's/Exchange::next()/Exchange::further()/' "$ROOT/debian/libacmetool0.symbols" >changed
    dpkg-deb -x "$(package libacmetool0)" tree
    run dpkg-gensymbols -c2 -plibacmetool0 -v0.1.1 -Ichanged "-e$(echo tree/usr/lib/*/libacmetool.so.0.1.0)" -Onew
    [ "$status" != 0 ]
    [[ $output == *"Exchange::further()"* ]]
}

@test "OPR-70: lintian finds nothing in the source package and in the packages, at its most pedantic" {
    # In the octets of a program's code, lintian finds words with spelling errors, other ones after each build.
    run lintian --allow-root --display-info --pedantic --fail-on warning --suppress-tags spelling-error-in-binary "$PACKAGES"/*.changes
    echo "$output"
    [ "$status" = 0 ]
    [ -z "$output" ]
    # An override that overrides nothing would have been said; one without a reason is found here.
    local file
    for file in "$ROOT"/debian/*lintian-overrides; do head -n 1 "$file" | grep '^# '; done
}

@test "OPR-70: the source package builds with what packaging/install-packages installs" {
    sed -n '/^Build-Depends:/,/^[A-Z]/s/^ \([a-z0-9.+-]*\).*/\1/p' "$ROOT/debian/control" | sort >needed
    "$ROOT/packaging/install-packages" --list deb | sort >installed
    sed -i 's/^debhelper-compat$/debhelper/' needed
    [ "$(wc -l <needed)" -gt 15 ]
    [ -z "$(comm -23 <(sort needed) installed)" ]
    # Neither builds nor what belongs to the repository.
    tar -tf "$PACKAGES"/acme-integrations_0.1.0.tar.* >source
    grep -qx 'acme-integrations/libacmetool/CMakeLists.txt' source
    ! grep -E '/(\.git|build)/|/CMakeCache.txt$' source || false
}

@test "OPR-72: what is in /etc are examples, which the programs take" {
    dpkg-deb --ctrl-tarfile "$(package acme-integrations)" | tar -xO ./conffiles | sort >conffiles
    diff conffiles <(cd "$ROOT/packaging/etc" && find . -type f | sed 's|^\.|/etc|' | sort)
    ! grep -v '\.example$' conffiles || return 1
    # The names that their comments give them are those that the units wait for.
    local name
    for name in relay.toml teap.toml renew.env; do
        grep -qx "/etc/acme-integrations/$name.example" conffiles
        grep -qx "ConditionPathExists=/etc/acme-integrations/$name" "$ROOT"/packaging/systemd/*.service
    done
    make_pki "$PWD"
    cp maker.pem manufacturer.pem
    cp tls-root.pem root.pem
    mkdir certs
    cp ra.pem certs
    (umask 077 && openssl rand -base64 24 >switches.secret && echo "hmac-sha256:acme.key:$(openssl rand -base64 32)" >tsig.key)
    openssl ecparam -genkey -name prime256v1 -noout -out acct.key
    echo '{"type":"account","version":1,"directory":"https://ca.example/directory","url":"https://ca.example/1","keyFile":"acct.key"}' >acct.json
    for name in relay teap; do
        sed "s|/var/lib/$name-relay/|$PWD/|; s|/var/lib/est-relay/|$PWD/|" "$ROOT/packaging/etc/acme-integrations/$name.toml.example" >"$name.toml"
        run "${name/#relay/est}-relay" check --config "$name.toml"
        [[ $name != teap ]] || run teap-relay check --config teap.toml
        echo "$output"
        [ "$status" = 0 ]
    done
}

# from_mirror COMMAND...: mmdebstrap's; the test is skipped if Debian's mirror cannot be reached.
from_mirror() {
    [ "$EUID" = 0 ] || skip "the root file system of another user needs root"
    "$@" 2>from_mirror.log && return
    cat from_mirror.log
    ! grep -E 'Temporary failure resolving|Could not connect|Network is unreachable' from_mirror.log || skip "no mirror of Debian"
    return 1
}

# fresh_system: a Debian in the folder system, with what the packages depend on, and the packages in /root.
fresh_system() {
    local depends
    depends=$(for name in acme-integrations libacmetool0; do dpkg-deb -f "$(package "$name")" Depends | tr ',' '\n'; done |
        sed -E 's/^ *([a-z0-9.+-]+).*/\1/' | grep -v acmetool | sort -u | paste -sd ,)
    from_mirror mmdebstrap --quiet --mode=root --variant=apt --include="systemd-sysv,ca-certificates,publicsuffix,$depends" \
        --dpkgopt=force-unsafe-io --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' bookworm system
    cp "$(package libacmetool0)" "$(package acme-integrations)" "$ROOT/debian/tests/enrol" system/root
}

# commands_of PAGE: those of its blocks, in order.
commands_of() {
    sed -n '/^```sh$/,/^```$/{/^```/d;p}' "$1"
}

@test "OPR-71, OPR-74: the units that docs/INSTALL.md starts and the program that the image runs are in the packages" {
    local name count=0
    dpkg-deb -c "$(package acme-integrations)" >contents
    for name in $(commands_of "$ROOT/docs/INSTALL.md" | sed -n 's/.*systemctl \(.*\)/\1/p' | grep -oE '(acme|est|teap)-[a-z-]+' | sort -u); do
        grep -E "/systemd/system/$name\.(service|timer)$" contents
        count=$((count + 1))
    done
    [ "$count" -gt 0 ]
    name=$(sed -n 's/.*"Entrypoint": \["\([^"]*\)".*/\1/p' "$ROOT/packaging/oci-layout")
    grep -E "/${name##*/}$" contents
}

@test "OPR-71, OPR-72: docs/INSTALL.md leads from the packages to a device in a system that boots; upgrade, removal, purge" {
    fresh_system
    commands_of "$ROOT/docs/INSTALL.md" >commands
    [ "$(wc -l <commands)" -gt 15 ]
    {
        printf '%s\n' '#!/bin/bash' 'set -euxo pipefail'
        # The first installs.
        head -n 1 commands
        cat <<'END'
for unit in est-relay.service teap-relay.service acme-preauth-renew.timer acme-order-renew.timer; do
    systemctl is-enabled "$unit"
    ! systemctl is-failed "$unit" || exit 1
done
! systemctl is-active est-relay teap-relay || exit 1
systemctl is-active acme-preauth-renew.timer acme-order-renew.timer
mkdir tested && AUTOPKGTEST_TMP=$PWD/tested ./enrol
END
        tail -n +2 commands
        cat <<'END'
: == the device
openssl verify -CAfile root.pem -untrusted ~/device.pem ~/device.pem
openssl x509 -in ~/device.pem -noout -ext subjectAltName | grep -F DNS:idevid.domain.com
est-relay explain --config relay.toml idevid
[ "$(systemctl show -P User est-relay)" = est-relay ]
! systemctl --failed --no-legend | grep . || exit 1

: == TEAP
sed 's|192.0.2.0/24|127.0.0.1|' teap.toml.example >teap.toml
(umask 077 && openssl rand -base64 24 >switches.secret)
systemctl start teap-relay
teap-enroll --radius 127.0.0.1:1812 --secret-file switches.secret --ca-file root.pem --cert ~/idevid.pem --key ~/idevid.key \
    --new-key ec:P-256 --key-out teap.key -o teap.pem

: == an upgrade
process=$(systemctl show -P MainPID est-relay)
echo '# mine' >>relay.toml.example
dpkg -i ~/libacmetool0_*.deb ~/acme-integrations_*.deb
[ "$(systemctl show -P MainPID est-relay)" != "$process" ]
systemctl is-active est-relay teap-relay
grep '# mine' relay.toml.example
est-relay explain --config relay.toml idevid | grep -F idevid.domain.com
est-enroll renew --server https://ra.domain.com:8443 --explicit-ta root.pem --cert ~/device.pem --key ~/device.key --before 4000d -o ~/device.pem

: == removal and purge
apt-get remove -y acme-integrations
! systemctl is-active est-relay teap-relay || exit 1
[ -s /var/lib/private/est-relay/relay.db ]
apt-get purge -y acme-integrations libacmetool0
! find /var/lib /usr /lib/systemd -name '*est-relay*' -o -name 'acme-*' -o -name '*libacmetool*' | grep . || exit 1
[ -s relay.toml ] && [ -s acct.key ] && [ -s certs/ra.pem ]
! ls *.example || exit 1
END
    } >script
    run "$ROOT/tests/lib/boot-system" system script
    echo "$output"
    [ "$status" != 77 ] || skip "systemd-nspawn cannot boot a system here"
    [ "$status" = 0 ]
}

@test "OPR-73: systemd-analyze rates each unit 1.3 or less, and docs/INSTALL.md has the reason for each setting left open" {
    local unit
    for unit in "$ROOT"/{packaging,examples}/systemd/*.service; do
        systemd-analyze security --offline=true --threshold=13 --no-pager "$unit" >rated || { cat rated && return 1; }
        # shellcheck disable=SC2016 # jq's
        systemd-analyze security --offline=true --json=short "$unit" 2>/dev/null |
            jq -r '.[] | select((.exposure // "0.0") | tonumber > 0) | .json_field' >>open
    done
    sed -n '/^## What the services may do/,/^## /s/^| `\([^`]*\)` |.*/\1/p' "$ROOT/docs/INSTALL.md" | sort >reasons
    diff <(sort -u open) reasons
    # The threshold is one that can be missed.
    sed '/^ProtectSystem=/d; /^PrivateUsers=/d; /^PrivateDevices=/d' "$ROOT/packaging/systemd/est-relay.service" >worse.service
    run ! systemd-analyze security --offline=true --threshold=13 --no-pager "$PWD/worse.service"
}

@test "OPR-74: the container image: digests and sizes, its configuration, and a program in it on a read-only root" {
    from_mirror "$ROOT/packaging/build-image" "$PACKAGES" image.tar
    mkdir image root
    tar -xf image.tar -C image
    [ "$(jq -r .imageLayoutVersion image/oci-layout)" = 1.0.0 ]
    # Each descriptor, from the index down, names a blob by digest and size, and there is no other blob.
    local digest size
    blob() { echo "image/blobs/sha256/${1#sha256:}"; }
    jq -r '.manifests[] | .digest, .size' image/index.json >described
    digest=$(head -n 1 described)
    jq -r '.config, .layers[] | .digest, .size' "$(blob "$digest")" >>described
    [ "$(wc -l <described)" = 6 ]
    while read -r digest && read -r size; do
        [ "$(stat -c %s "$(blob "$digest")")" = "$size" ]
        [ "sha256:$(sha256sum <"$(blob "$digest")" | cut -d ' ' -f 1)" = "$digest" ]
    done <described
    [ "$(find image/blobs -type f | wc -l)" = 3 ]
    mapfile -t blobs < <(sed -n 'p;n' described)
    jq -e '.config.User == "65532:65532" and .config.StopSignal == "SIGTERM" and .os == "linux"' "$(blob "${blobs[1]}")"
    [ "$(jq -r '.rootfs.diff_ids[]' "$(blob "${blobs[1]}")")" = "sha256:$(zcat "$(blob "${blobs[2]}")" | sha256sum | cut -d ' ' -f 1)" ]
    # Its entry, as a container engine runs it: that user, no capabilities, a read-only root, the environment of the image.
    tar -xzf "$(blob "${blobs[2]}")" -C root
    mapfile -t environment < <(jq -r '.config.Env[]' "$(blob "${blobs[1]}")")
    entry=$(jq -r '.config.Entrypoint[0]' "$(blob "${blobs[1]}")")
    in_container() {
        # shellcheck disable=SC2016 # the inner shell expands it
        unshare -m -n -p -f --propagation private sh -ec 'mount --bind root root
            mount -o remount,bind,ro root
            exec env -i "$@"' sh "${environment[@]}" /usr/sbin/chroot root /usr/bin/setpriv --reuid=65532 --regid=65532 --clear-groups \
            --bounding-set=-all --inh-caps=-all --no-new-privs "$@"
    }
    run in_container "$entry" --version
    echo "$output"
    [ "$status" = 0 ]
    [ "$output" = "est-relay 0.1.0" ]
    run in_container sh -c 'id -u; id -g; touch /var/lib/est-relay/file'
    [ "$status" = 1 ]
    [[ $output == 65532$'\n'65532$'\n'*"Read-only file system" ]]
    # The volumes, which an engine makes of the folders below, are that user's.
    [ "$(stat -c '%u %g %a' root/var/lib/est-relay root/var/lib/teap-relay | sort -u)" = "65532 65532 700" ]
}
