#!/usr/bin/env bats
# examples/, executed on loopback: a copy of each example with this test's ports and folders in place of the printed ones.

bats_require_minimum_version 1.5.0
load ../lib/common
load ../lib/ca
load ../lib/dns
load ../lib/relay
load ../lib/teap

EXAMPLES=$ROOT/examples

setup() {
    cd "$BATS_TEST_TMPDIR" || return
}

teardown() {
    stop_all
}

# authority SERVER: domain.com at that DNS server, a CA that asks it, and an account in acct.json.
authority() {
    "$1" "$PWD/dns" domain.com
    start_ca "$PWD/ca" --dns-server "$DNS_SERVER"
    acme-account register --directory "$CA_DIRECTORY" --ca-file "$CA_FILE" --agree-tos -q -o account.json
}

preauthorize() {
    acme-preauth run -q --subdomains --dns-update "$DNS_SERVER" --tsig-key "$TSIG_KEY" -o authz.json domain.com
}

# example PATH [SED SCRIPT...]: copies it here, changed.
example() {
    local path=$1 script
    shift
    cp -r "$EXAMPLES/$path" .
    path=$(basename "$path")
    for script; do
        sed -i -E "$script" "$path"
    done
}

# proves HOOK: it gets domain.com authorized, is called for success and failure, and leaves no record.
proves() {
    acme-preauth run -q --hook "./$1" --name-server "$DNS_SERVER" --trace trace.jsonl -o authz.json domain.com
    jq -e '.status == "valid"' authz.json
    [ -z "$(txt_values _acme-challenge.domain.com)" ]
    # Two values at one name: only one is removed.
    local call=("./$1" begin dns-01 domain.com token)
    ACMETOOL_FQDN=_acme-challenge.domain.com ACMETOOL_VALUE=first "${call[@]}" first
    ACMETOOL_FQDN=_acme-challenge.domain.com ACMETOOL_VALUE=second "${call[@]}" second
    [ "$(txt_values _acme-challenge.domain.com | sort | xargs)" = "first second" ]
    call[1]=failed
    ACMETOOL_FQDN=_acme-challenge.domain.com ACMETOOL_VALUE=first "${call[@]}" first
    [ "$(txt_values _acme-challenge.domain.com)" = '"second"' ]
    # Other challenges are left to the CA's other offers; what is no name or value goes nowhere.
    call[1]=begin call[2]=http-01
    ! ACMETOOL_FQDN=_acme-challenge.domain.com ACMETOOL_VALUE=third "${call[@]}" third || return 1
    call[2]=dns-01
    local lines
    lines=$(printf 'third"\nupdate add _acme-challenge.domain.com. 60 TXT "fourth')
    ! ACMETOOL_FQDN=_acme-challenge.domain.com ACMETOOL_VALUE=$lines "${call[@]}" x || return 1
    [ "$(txt_values _acme-challenge.domain.com)" = '"second"' ]
}

@test "examples: dns-hooks/nsupdate with BIND" {
    authority start_bind
    example dns-hooks/nsupdate
    example dns-hooks/nsupdate.conf "s|^SERVER=.*|SERVER=127.0.0.1|; s|^PORT=.*|PORT=${DNS_SERVER##*:}|" "s|^KEY_FILE=.*|KEY_FILE=$TSIG_KEY|"
    proves nsupdate
    # A server that refuses is a failure of the hook.
    tsig-keygen -a hmac-sha256 other >other.key
    sed -i "s|^KEY_FILE=.*|KEY_FILE=other.key|" nsupdate.conf
    ! ACMETOOL_FQDN=_acme-challenge.domain.com ACMETOOL_VALUE=third ./nsupdate begin dns-01 domain.com token third || return 1
}

@test "examples: dns-hooks/cloud-api with a provider's API; the token is on no command line" {
    authority start_knot
    (umask 077 && openssl rand -hex 20 >dns.token)
    : >api.log
    python3 "$ROOT/tests/lib/dns_api.py" dns.token zone1 "$DNS_SERVER" "$TSIG_KEY" domain.com api.log >api.port 2>api.err 3>&- &
    STARTED+=("$!")
    wait_for 10 test -s api.port
    example dns-hooks/cloud-api
    example dns-hooks/cloud-api.conf "s|^API=https://[^/]*|API=http://127.0.0.1:$(cat api.port)|" "s|^ZONE_ID=[^ ]*|ZONE_ID=zone1|" \
        "s|^TOKEN_FILE=[^ ]*|TOKEN_FILE=$PWD/dns.token|"
    # Every curl notes its command line first.
    mkdir bin
    printf '#!/bin/sh\necho "$@" >>"%s/lines"\nexec %s "$@"\n' "$PWD" "$(command -v curl)" >bin/curl
    chmod +x bin/curl
    PATH=$PWD/bin:$PATH proves cloud-api
    [ "$(grep -c '^POST .* 200$' api.log) $(grep -c '^DELETE .* 200$' api.log)" = "3 2" ]
    grep -q -- '--request POST' lines
    ! grep -F "$(cat dns.token)" lines || return 1
    # A wrong token is a failure of the hook, with the provider's message.
    echo wrong >other.token
    sed -i "s|^TOKEN_FILE=.*|TOKEN_FILE=other.token|" cloud-api.conf
    local operation
    for operation in begin "done"; do
        ACMETOOL_FQDN=_acme-challenge.domain.com ACMETOOL_VALUE=third run ./cloud-api "$operation" dns-01 domain.com token third
        [ "$status" != 0 ]
        [[ $output == *"invalid token"* ]]
    done
}

serial_of() { openssl x509 -in "$1" -noout -serial; }

# serves CERTIFICATE: HAProxy shows it.
serves() {
    [ "$(openssl s_client -connect "127.0.0.1:$PORT" </dev/null 2>/dev/null | openssl x509 -noout -serial)" = "$(serial_of "$1")" ]
}

@test "examples: deploy-hooks put a certificate into place atomically, only a new and good one, and reload HAProxy" {
    authority start_knot
    preauthorize
    example deploy-hooks
    sed -i "s|/etc/[a-z-]*/|$PWD/|g" deploy-hooks/haproxy deploy-hooks/nginx
    PORT=$(free_port)
    printf 'defaults\n mode tcp\n timeout connect 5s\n timeout client 9s\n timeout server 9s\nfrontend tls\n bind 127.0.0.1:%s ssl crt %s/site.pem\n' \
        "$PORT" "$PWD" >haproxy.cfg
    mkdir bin
    cat >bin/systemctl <<END
#!/bin/sh
echo "\$*" >>"$PWD/reloads"
[ "\$2" != haproxy ] || [ ! -e "$PWD/pid" ] || kill -USR2 "\$(cat "$PWD/pid")"
END
    printf '#!/bin/sh\n[ "$*" = "-t -q" ]\n' >bin/nginx
    chmod +x bin/*
    PATH=$PWD/bin:$PATH

    csr-build --new-key ec:P-256 --key-out site.key --dns site.domain.com -o site.csr
    local renew=(acme-order renew -q --csr site.csr --deploy-hook deploy-hooks/haproxy -o cert.pem)
    "${renew[@]}"
    haproxy -W -db -f haproxy.cfg 3>&- 2>haproxy.err &
    STARTED+=("$!")
    echo "$!" >pid
    wait_for 10 serves cert.pem
    [ "$(stat -c %a site.pem)" = 600 ]
    cmp site.pem <(cat cert.pem site.key)
    cp cert.pem first.pem
    chmod 640 site.pem
    "${renew[@]}" --before 4000d
    [ "$(serial_of cert.pem)" != "$(serial_of first.pem)" ]
    wait_for 10 serves cert.pem
    [ "$(stat -c %a site.pem)" = 640 ]
    # The same certificate again: nothing happens.
    ACMETOOL_CERT=cert.pem deploy-hooks/haproxy
    [ "$(xargs <reloads)" = "reload-or-restart haproxy reload-or-restart haproxy" ]

    # A configuration that HAProxy refuses, and a reload that fails: the previous file is back, and the next run repeats it.
    cp haproxy.cfg good.cfg
    cp cert.pem second.pem
    cp site.pem before.pem
    echo nonsense >>haproxy.cfg
    run "${renew[@]}" --json --before 4000d
    [ "$status" = 78 ]
    [[ $output == *deployHookFailed* ]]
    cmp site.pem before.pem
    serves second.pem
    cp good.cfg haproxy.cfg
    mv bin/systemctl systemctl
    printf '#!/bin/sh\nexit 1\n' >bin/systemctl
    chmod +x bin/systemctl
    run "${renew[@]}"
    [ "$status" = 78 ]
    cmp site.pem before.pem
    mv systemctl bin/systemctl
    "${renew[@]}"
    wait_for 10 serves cert.pem
    # Another key is refused; nothing is left in the folder.
    openssl ecparam -genkey -name prime256v1 -noout -out site.key
    ACMETOOL_CERT=first.pem run deploy-hooks/haproxy
    [ "$status" = 78 ]
    wait_for 10 serves cert.pem
    [ "$(find . -maxdepth 1 -name 'site.pem*')" = ./site.pem ]

    rm site.pem
    openssl req -x509 -key site.key -subj /CN=nginx -days 1 -out own.pem
    ACMETOOL_CERT=own.pem deploy-hooks/nginx
    cmp site.pem <(cat own.pem site.key)
    [ "$(tail -n 1 reloads)" = "reload-or-restart nginx" ]
}

# here SED-FILE...: this folder, this DNS server and no random delay in place of what an example says.
here() {
    sed -i "s|/etc/acme-integrations/|$PWD/|g; s|ns\.domain\.com|$DNS_SERVER|g; s| --jitter 5m||" "$@"
}

@test "examples: cron renews authorization and certificate" {
    authority start_knot
    cp "$TSIG_KEY" tsig.key
    example cron/acme-integrations
    example cron/renew.d
    here acme-integrations renew.d/site.toml
    csr-build --new-key ec:P-256 --key-out site.key --dns site.domain.com -o site.csr
    mapfile -t settings < <(grep -E '^[A-Z_]+=' acme-integrations)
    grep -E '^[0-9*]' acme-integrations >jobs.cron
    ! grep -F % jobs.cron || return 1 # cron would take it for a line's end
    local job
    while read -r _ _ _ _ _ job; do
        [[ $job == "acme "* ]] # the user
        run env -i "${settings[@]}" "PATH=$PATH" "LD_LIBRARY_PATH=$LD_LIBRARY_PATH" sh -c "${job#acme }"
        echo "$job: $output"
        [ "$status" = 0 ]
        [ -z "$output" ] # cron would mail it
    done <jobs.cron
    [ "$(requests newAuthz) $(requests newOrder)" = "1 1" ]
    openssl verify -CAfile "$CA_ROOT" -untrusted site.pem site.pem
    openssl x509 -in site.pem -noout -ext subjectAltName | grep -F 'DNS:site.domain.com, DNS:www.domain.com'
}

# run_unit INSTANCE FILE: what systemd would do for a unit: credentials, environment and commands.
run_unit() {
    local instance=$1 line value words environment=() commands=()
    shift
    mkdir -p credentials state
    while read -r line; do
        value=${line#*=}
        case $line in
        LoadCredential=*) cp "${value#*:}" "credentials/${value%%:*}" ;;
        EnvironmentFile=*) mapfile -t -O "${#environment[@]}" environment <"$value" ;;
        Environment=*) IFS=' ' read -ra words <<<"$value" && environment+=("${words[@]}") ;;
        ExecStart=* | ExecStartPost=*) commands+=("${value#+}") ;;
        esac
    done < <(sed "s|%i|$instance|g; s|%d|$PWD/credentials|g; s|%S|$PWD/state|g; s|/usr/bin/||g" "$@")
    for line in "${commands[@]}"; do
        env -i PATH="$PATH" LD_LIBRARY_PATH="$LD_LIBRARY_PATH" "${environment[@]}" sh -c "$line"
    done
    rm -r credentials
}

@test "examples: a systemd unit renews a certificate with credentials" {
    authority start_knot
    cp "$TSIG_KEY" tsig.key
    mkdir deploy-hooks
    printf '#!/bin/sh\ncp "$%s" "%s/deployed.pem"\n' ACMETOOL_CERT "$PWD" >deploy-hooks/haproxy
    chmod +x deploy-hooks/haproxy
    example systemd/acme-certificate@.service
    here acme-certificate@.service
    preauthorize
    csr-build --new-key ec:P-256 --key-out site.key --dns site.domain.com -o site.csr
    rm site.key # the unit has no need of it
    mkdir -p state/acme-certificate/site
    run_unit site acme-certificate@.service
    openssl verify -CAfile "$CA_ROOT" -untrusted deployed.pem deployed.pem
    rm deployed.pem
    run_unit site acme-certificate@.service
    [ "$(requests newOrder)" = 1 ]
    openssl x509 -in deployed.pem -noout # the hook decides whether there is something to do
}

@test "examples: ci/certificate, and the steps of the GitLab and the GitHub job" {
    authority start_knot
    acme-preauth run -q --subdomains --dns-update "$DNS_SERVER" --tsig-key "$TSIG_KEY" -o authz.json ci.domain.com
    example ci
    # The two files have other names where the CI puts them.
    cp acct.json first.variable
    cp acct.key second.variable
    local steps="import sys, yaml; job = yaml.safe_load(sys.stdin)"
    python3 -c "$steps; print(*job['review']['script'], sep='\n')" <ci/gitlab-ci.yml >gitlab.sh
    python3 -c "$steps; print(*(step['run'] for step in job['jobs']['review']['steps'] if 'run' in step))" <ci/github-actions.yml >github.sh
    ACCOUNT_FILE=$PWD/first.variable ACCOUNT_KEY_FILE=$PWD/second.variable CI_ENVIRONMENT_SLUG=review-42 \
        bash -euo pipefail gitlab.sh
    openssl verify -CAfile "$CA_ROOT" -untrusted tls.pem tls.pem
    openssl x509 -in tls.pem -noout -ext subjectAltName | grep -Fx '    DNS:review-42.ci.domain.com'
    [ "$(stat -c %a tls.key)" = 600 ]
    rm tls.pem tls.key
    mkdir runner
    ACCOUNT=$(cat acct.json) ACCOUNT_KEY=$(cat acct.key) RUNNER_TEMP=$PWD/runner GITHUB_RUN_ID=7 bash -eo pipefail github.sh
    openssl x509 -in tls.pem -noout -ext subjectAltName | grep -Fx '    DNS:run-7.ci.domain.com'
    [ -z "$(ls -A runner)" ]
    [ "$(requests newAuthz)" = 1 ]
    # A name that the account is not authorized for ends the job.
    rm tls.key
    ACCOUNT_FILE=acct.json ACCOUNT_KEY_FILE=acct.key run ci/certificate other.domain.com
    [ "$status" = 79 ]
}

@test "examples: haproxy in front of est-relay, which sees the device's address" {
    authority start_knot
    PKI=$PWD/pki ACCOUNT=$PWD/acct.json
    make_pki "$PKI"
    RELAY_DOMAIN=domain.com write_relay_toml "$PKI" 'retry_after = "1s"'
    sed -i '/^\[listen\]/a proxy_protocol = ["127.0.0.1"]' "$PKI/relay.toml"
    start_relay "$PKI"
    local port
    port=$(free_port)
    example haproxy/haproxy.cfg "s|bind :8443|bind 127.0.0.1:$port|" "s|192\.0\.2\.11:8443|127.0.0.1:$RELAY_PORT|"
    haproxy -c -q -f haproxy.cfg
    haproxy -db -f haproxy.cfg 3>&- 2>haproxy.err &
    STARTED+=("$!")
    wait_for 20 eval "[ -n \"\$(ss -Hltn 'sport = :$port')\" ]" || { cat haproxy.err && return 1; }
    est-enroll run --server "https://127.0.0.1:$port" --explicit-ta "$PKI/tls-root.pem" --cert "$PKI/device0001.pem" \
        --key "$PKI/device0001.key" --new-key auto --key-out dev.key -o dev.pem
    openssl x509 -in dev.pem -noout -ext subjectAltName | grep -F DNS:device0001.domain.com
    curl -sf --interface 127.0.0.9 --cacert "$PKI/tls-root.pem" -o cacerts "https://127.0.0.1:$port/.well-known/est/cacerts"
    grep '"event":"request"' "$PKI/relay.log" | tail -n 1 | jq -e '.address == "127.0.0.9"'
    # Its health checks are no failures.
    curl -sf "$RELAY_ADMIN/status" | jq -e '.connections.proxyFailures == 0'
}

# radius_proxy: the example, with the port of its server in RADIUS_PROXY, before the relay at RADIUS_PORT.
radius_proxy() {
    RADIUS_PROXY=$(free_port)
    example freeradius
    cd freeradius || return
    sed -i "s|192\.0\.2\.0/24|127.0.0.1|; s|replace-with-secret-of-the-switches|nas-secret|" clients.conf
    sed -i "s|192\.0\.2\.11|127.0.0.1|; s|= 1812|= $RADIUS_PORT|; s|replace-with-secret-of-the-relay|radius-secret|" proxy.conf
    sed -i "s|ipaddr = \*|ipaddr = 127.0.0.1|; s|= 1812|= $RADIUS_PROXY|" teap
    # What Debian's radiusd.conf does, without its modules.
    cat >radiusd.conf <<END
raddbdir = $PWD
logdir = $PWD
run_dir = $PWD
libdir = /usr/lib/freeradius
pidfile = $PWD/pid
max_request_time = 60
proxy_requests = yes
log {
    destination = stdout
}
security {
    allow_core_dumps = no
}
thread pool {
    start_servers = 1
    max_servers = 4
}
\$INCLUDE proxy.conf
\$INCLUDE clients.conf
modules {
}
\$INCLUDE teap
END
    echo nas-secret >nas.secret
}

start_radius_proxy() {
    freeradius -C -d "$PWD" -n radiusd -l stdout >checked || { cat checked && return 1; }
    freeradius -f -d "$PWD" -n radiusd -l stdout >log 2>&1 3>&- &
    STARTED+=("$!")
    wait_for 20 bash -c "ss -Hlun 'sport = :$RADIUS_PROXY' | grep -q ."
}

@test "examples: freeradius in front of teap-relay" {
    authority start_knot
    PKI=$PWD/pki ACCOUNT=$PWD/acct.json
    make_pki "$PKI"
    write_teap_toml "$PKI"
    start_teap "$PKI"
    wait_for 60 grep -q '"status":"valid"' "$TEAP_LOG"
    radius_proxy
    start_radius_proxy
    teap-enroll --radius "127.0.0.1:$RADIUS_PROXY" --secret-file nas.secret --ca-file "$PKI/tls-root.pem" \
        --cert "$PKI/device0001.pem" --key "$PKI/device0001.key" --new-key ec:P-256 --key-out dev.key -o dev.pem
    openssl x509 -in dev.pem -noout -ext subjectAltName | grep -F DNS:device0001.domain.com
}

@test "SCL-20, examples: freeradius in front of two relays, with the lines for that: a conversation stays with one of them" {
    authority start_knot
    PKI=$PWD/pki ACCOUNT=$PWD/acct.json
    make_pki "$PKI"
    cp -r "$PKI" second
    write_teap_toml "$PKI"
    start_teap "$PKI"
    local first=$RADIUS_PORT log=$TEAP_LOG
    RADIUS_PORT='' TEAP_ADMIN_PORT='' write_teap_toml "$PWD/second"
    start_teap "$PWD/second"
    wait_for 60 grep -q '"status":"valid"' "$log"
    wait_for 60 grep -q '"status":"valid"' "$TEAP_LOG"
    RADIUS_PORT=$first radius_proxy
    sed -n '/^home_server teap-relay {/,/^}/p' proxy.conf |
        sed "s/teap-relay/teap-relay-2/; s/= $first/= $(sed -n 's/^radius = .*:\([0-9]*\)"/\1/p' ../second/teap.toml)/" >second.conf
    cat second.conf >>proxy.conf
    sed -i 's/#type = keyed-balance/type = keyed-balance/; s/#home_server = teap-relay-2/home_server = teap-relay-2/' proxy.conf
    sed -i 's/#Load-Balance-Key/Load-Balance-Key/' teap
    [ "$(grep -c '^ *\(type = keyed-balance\|home_server = teap-relay-2\|Load-Balance-Key := .*\)$' proxy.conf teap | cut -d: -f2 | xargs)" = '2 1' ]
    start_radius_proxy
    local i
    for i in 1 2 3 4; do
        teap-enroll --radius "127.0.0.1:$RADIUS_PROXY" --secret-file nas.secret --ca-file "$PKI/tls-root.pem" \
            --cert "$PKI/device0001.pem" --key "$PKI/device0001.key" --new-key ec:P-256 --key-out "dev$i.key" -o "dev$i.pem"
    done
    # All four of the same station went to one relay, whole.
    [ "$(grep -c '"event":"decision"' "$log" "$TEAP_LOG" | cut -d: -f2 | sort -n | xargs)" = '0 4' ]
}

@test "examples: pebble/order gets a certificate and leaves nothing running" {
    # It takes the three ports behind PEBBLE_PORT as well: no other test shall get them.
    until PEBBLE_PORT=$(free_port) &&
        mkdir "$BATS_RUN_TMPDIR"/port-{$((PEBBLE_PORT + 1)),$((PEBBLE_PORT + 2)),$((PEBBLE_PORT + 3))}; do :; done
    export PEBBLE_PORT TMPDIR=$PWD
    "$EXAMPLES/pebble/order" www.example.org >said 3>&-
    local folder
    folder=$(sed -n 's/^The files are in //p' said)
    openssl x509 -in "$folder/host.pem" -noout -ext subjectAltName | grep -F DNS:www.example.org
    [ -z "$(ss -Hltun "sport = :$PEBBLE_PORT")" ]
}
