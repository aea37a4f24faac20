#!/usr/bin/env bats
# The clients that people have, against acme-ca: every challenge type they speak, account binding, key change,
# revocation. One CA for all of them, which binds accounts where a client can.

load ../lib/common
load ../lib/dns
load ../lib/ca

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return
    start_knot "$PWD/dns" domain.com
    HTTP_PORT=$(free_port)
    TLS_PORT=$(free_port)
    start_ca "$PWD/ca" --dns-server "$DNS_SERVER" --http-port "$HTTP_PORT" --tls-port "$TLS_PORT" --allow-loopback \
        --eab optional --terms-of-service https://lab.invalid/terms --issuer-domain lab.invalid \
        --profile classic=90d --profile short=6d:serverAuth
    mkdir -p www/.well-known/acme-challenge
    HMAC=$(acme-ca eab --dir ca --kid bound | jq -r .hmacKey)
    export CA_LOG CA_DIRECTORY DNS_SERVER TSIG_KEY HTTP_PORT TLS_PORT HMAC PIDS="${STARTED[*]}"
}

teardown_file() {
    read -ra STARTED <<<"$PIDS"
    stop_all
}

setup() {
    DIR=$BATS_FILE_TMPDIR
    cd "$BATS_TEST_TMPDIR" || return
}

teardown() {
    stop_all
}

serve_web() { # the folder www on the port that http-01 asks
    python3 -m http.server --bind 127.0.0.1 --directory "$DIR/www" "$HTTP_PORT" >web.log 2>&1 3>&- &
    STARTED+=($!)
    wait_for 60 curl -s "http://127.0.0.1:$HTTP_PORT/"
}

good() { # CERTIFICATE [CHAIN]
    openssl verify -CAfile "$CA_ROOT" -untrusted "${2:-$1}" "$1"
}

in_crl() { # CERTIFICATE
    curl -sf --cacert "$CA_FILE" "${CA_DIRECTORY%/directory}/crl" | openssl crl -inform der -noout -text >crl.txt
    grep -i "$(openssl x509 -in "$1" -noout -serial | cut -d= -f2)" crl.txt
}

write_dns_hook() { # FILE: FILE begin|done IDENT VALUE, by knsupdate
    cat >"$1" <<EOF
#!/bin/sh
{ echo "server 127.0.0.1 ${DNS_SERVER##*:}"; echo "zone domain.com"
case "\$1" in begin) echo "add _acme-challenge.\$2 60 TXT \$3" ;; *) echo "del _acme-challenge.\$2 TXT \$3" ;; esac
echo send; } | knsupdate -k $TSIG_KEY
EOF
    chmod +x "$1"
}

run_lego() {
    LEGO_CA_CERTIFICATES=$CA_FILE lego --server "$CA_DIRECTORY" --accept-tos --email a@domain.com --path lego "$@"
}

@test "lego: external account binding, tls-alpn-01, renewal and revocation" {
    run_lego --eab --kid bound --hmac "$HMAC" --domains alpn.domain.com --tls --tls.port "127.0.0.1:$TLS_PORT" run
    local cert=lego/certificates/alpn.domain.com.crt
    good "$cert"
    grep '"resource":"validation"' "$CA_LOG" | grep '"tls-alpn-01"' | grep alpn.domain.com
    run_lego --domains alpn.domain.com --tls --tls.port "127.0.0.1:$TLS_PORT" renew --days 365 --no-random-sleep
    good "$cert"
    run_lego --domains alpn.domain.com revoke --keep
    in_crl "$cert"
}

@test "lego: dns-01 for a name and its wildcard, by dynamic update" {
    RFC2136_NAMESERVER=$DNS_SERVER RFC2136_TSIG_ALGORITHM=hmac-sha256. RFC2136_TSIG_KEY=acme.key. \
        RFC2136_TSIG_SECRET=$(cut -d: -f3 "$TSIG_KEY") RFC2136_PROPAGATION_TIMEOUT=60 RFC2136_POLLING_INTERVAL=1 \
        RFC2136_SEQUENCE_INTERVAL=1 \
        run_lego --domains wild.domain.com --domains '*.wild.domain.com' --dns rfc2136 --dns.resolvers "$DNS_SERVER" \
        --dns.disable-cp run
    good lego/certificates/wild.domain.com.crt
    openssl x509 -in lego/certificates/wild.domain.com.crt -noout -ext subjectAltName | grep -F '*.wild.domain.com'
}

run_certbot() {
    REQUESTS_CA_BUNDLE=$CA_FILE certbot "$@" --server "$CA_DIRECTORY" --non-interactive --config-dir c --work-dir w --logs-dir l
}

@test "certbot: external account binding, alternate chain, revocation by the certificate's key, deactivation" {
    run_certbot certonly --standalone --http-01-port "$HTTP_PORT" --agree-tos --register-unsafely-without-email \
        --eab-kid bound --eab-hmac-key="$HMAC" --preferred-chain "acme-integrations LAB Alternate Root" -d certbot.domain.com
    local live=c/live/certbot.domain.com
    openssl verify -CAfile "$DIR/ca/root-alternate.pem" -untrusted $live/chain.pem $live/cert.pem
    run_certbot revoke --cert-path $live/cert.pem --key-path $live/privkey.pem --reason superseded --no-delete-after-revoke
    in_crl $live/cert.pem
    run_certbot unregister
}

@test "certbot: dns-01 by hooks" {
    write_dns_hook "$PWD/hook.sh"
    run_certbot certonly --manual --preferred-challenges dns --agree-tos --register-unsafely-without-email \
        --manual-auth-hook "$PWD/hook.sh begin \$CERTBOT_DOMAIN \$CERTBOT_VALIDATION" \
        --manual-cleanup-hook "$PWD/hook.sh done \$CERTBOT_DOMAIN \$CERTBOT_VALIDATION" -d '*.cb.domain.com'
    good c/live/cb.domain.com/cert.pem c/live/cb.domain.com/chain.pem
}

run_dehydrated() {
    CURL_CA_BUNDLE=$CA_FILE timeout 300 dehydrated --config "$PWD/config" "$@"
}

write_dehydrated_config() {
    cat >config <<EOF
CA="$CA_DIRECTORY"
BASEDIR="$PWD"
WELLKNOWN="$DIR/www/.well-known/acme-challenge"
KEY_ALGO=prime256v1
ACCOUNT_KEY_ALGO=prime256v1
CONTACT_EMAIL=a@domain.com
EOF
}

@test "dehydrated: http-01 and revocation" {
    serve_web
    write_dehydrated_config
    run_dehydrated --register --accept-terms
    run_dehydrated --cron --domain dehydrated.domain.com
    local cert=certs/dehydrated.domain.com/cert.pem
    good "$cert" certs/dehydrated.domain.com/chain.pem
    cp "$cert" revoked.pem
    run_dehydrated --revoke "$cert"
    in_crl revoked.pem
}

@test "dehydrated: dns-01 by a hook" {
    write_dehydrated_config
    write_dns_hook "$PWD/update.sh"
    cat >hook.sh <<EOF
#!/bin/sh
case "\$1" in
deploy_challenge) "$PWD/update.sh" begin "\$2" "\$4" ;;
clean_challenge) "$PWD/update.sh" done "\$2" "\$4" ;;
esac
EOF
    chmod +x hook.sh
    run_dehydrated --register --accept-terms
    run_dehydrated --cron --challenge dns-01 --hook "$PWD/hook.sh" --domain "*.dh.domain.com" --alias dh
    good certs/dh/cert.pem certs/dh/chain.pem
}

@test "acme-tiny: http-01" {
    serve_web
    openssl genrsa -out account.key 2048
    csr-build --new-key rsa:2048 --key-out tiny.key --dns tiny.domain.com -o tiny.csr
    SSL_CERT_FILE=$CA_FILE acme-tiny --account-key account.key --csr tiny.csr --disable-check \
        --acme-dir "$DIR/www/.well-known/acme-challenge" --directory-url "$CA_DIRECTORY" >tiny.pem
    good tiny.pem
}

@test "uacme: http-01 by a hook, key change, revocation, deactivation" {
    # uacme of Debian uses the system's bundle only: a copy of ours is laid over it for this run.
    if ! unshare -m true 2>/dev/null; then skip "uacme needs a mount namespace to trust the CA"; fi
    serve_web
    cat >hook.sh <<EOF
#!/bin/sh
[ "\$2" = http-01 ] || exit 1
case "\$1" in
begin) printf %s "\$5" >"$DIR/www/.well-known/acme-challenge/\$4" ;;
*) rm -f "$DIR/www/.well-known/acme-challenge/\$4" ;;
esac
EOF
    chmod +x hook.sh
    unshare -m sh -ec "mount --bind '$CA_FILE' /etc/ssl/certs/ca-certificates.crt
        uacme -v -y -a '$CA_DIRECTORY' -c u new
        uacme -v -y -a '$CA_DIRECTORY' -c u -h '$PWD/hook.sh' issue uacme.domain.com
        uacme -v -y -a '$CA_DIRECTORY' -c u newkey
        cp u/uacme.domain.com/cert.pem kept.pem
        uacme -v -y -a '$CA_DIRECTORY' -c u revoke u/uacme.domain.com/cert.pem
        uacme -v -y -a '$CA_DIRECTORY' -c u deactivate"
    good kept.pem
    in_crl kept.pem
    [ "$(requests keyChange)" -gt 0 ]
}

@test "npm's acme-client: http-01, dns-01, key change and deactivation" {
    command -v npm >/dev/null || skip "npm is not installed"
    timeout 60 npm install --silent --no-audit --no-fund --prefix . acme-client@5.4.0 >npm.log 2>&1 ||
        skip "npm's registry is not reachable"
    serve_web
    write_dns_hook "$PWD/hook.sh"
    cat >order.js <<'EOF'
const acme = require('acme-client'), fs = require('fs'), { execFileSync } = require('child_process');
(async () => {
    const client = new acme.Client({ directoryUrl: process.env.CA_DIRECTORY, accountKey: await acme.crypto.createPrivateKey() });
    const path = (c) => process.env.DIR + '/www/.well-known/acme-challenge/' + c.token;
    for (const type of ['http-01', 'dns-01']) {
        const [, csr] = await acme.crypto.createCsr({ altNames: [type + '.npm.domain.com'] });
        fs.writeFileSync(type + '.pem', await client.auto({
            csr, termsOfServiceAgreed: true, challengePriority: [type], skipChallengeVerification: true,
            challengeCreateFn: async (authz, c, key) => type === 'http-01' ? fs.writeFileSync(path(c), key)
                : execFileSync('./hook.sh', ['begin', authz.identifier.value, key]),
            challengeRemoveFn: async (authz, c, key) => type === 'http-01' ? fs.unlinkSync(path(c))
                : execFileSync('./hook.sh', ['done', authz.identifier.value, key]),
        }));
    }
    await client.updateAccountKey(await acme.crypto.createPrivateKey());
    await client.updateAccount({ status: 'deactivated' });
})().catch((e) => { console.error(e); process.exit(1); });
EOF
    DIR=$DIR NODE_EXTRA_CA_CERTS=$CA_FILE node order.js
    good http-01.pem
    good dns-01.pem
}

# start_apache: with mod_md for md.domain.com, in the folder WEB, which its own user can enter; sets APACHE_PID.
start_apache() {
    local module
    WEB=$(mktemp -d /tmp/acmetool-md.XXXXXX)
    chmod 755 "$WEB"
    cp "$CA_FILE" "$WEB/ca.pem"
    cat >"$WEB/apache.conf" <<EOF
ServerRoot $WEB
ServerName localhost
DefaultRuntimeDir $WEB
PidFile $WEB/pid
ErrorLog $WEB/error.log
LogLevel warn md:info
User www-data
Group www-data
$(for module in mpm_event authz_core socache_shmcb ssl md; do echo "LoadModule ${module}_module /usr/lib/apache2/modules/mod_$module.so"; done)
Listen 127.0.0.1:$HTTP_PORT
Listen 127.0.0.1:$TLS_PORT https
MDPortMap http:$HTTP_PORT https:$TLS_PORT
MDStoreDir $WEB/md
MDCertificateAuthority $CA_DIRECTORY
MDCACertificateFile $WEB/ca.pem
MDCertificateAgreement accepted
MDContactEmail a@domain.com
MDExternalAccountBinding bound $HMAC
MDomain md.domain.com
Protocols http/1.1 acme-tls/1
<VirtualHost 127.0.0.1:$TLS_PORT>
    ServerName md.domain.com
    SSLEngine on
</VirtualHost>
EOF
    apache2 -f "$WEB/apache.conf" -D FOREGROUND 3>&- 2>apache.err &
    APACHE_PID=$!
    STARTED+=("$!")
}

shows() { # NAME: the server at TLS_PORT has a good certificate for it
    openssl s_client -connect "127.0.0.1:$TLS_PORT" -servername "$1" -verify_hostname "$1" -CAfile "$CA_ROOT" \
        -verify_return_error </dev/null >shown 2>&1
}

@test "Apache's mod_md: external account binding, tls-alpn-01, and a server that has its certificate after a reload" {
    start_apache
    # Apache says so once all of it is in its place.
    wait_for 120 grep -q 'md.domain.com.*activated on next' "$WEB/error.log" || { cat "$WEB/error.log" && return 1; }
    kill -USR1 "$APACHE_PID"
    wait_for 60 shows md.domain.com
    good "$WEB/md/domains/md.domain.com/pubcert.pem"
    grep '"resource":"validation"' "$CA_LOG" | grep '"tls-alpn-01"' | grep md.domain.com
    stop_all # it writes there until then
    rm -r "$WEB"
}

@test "Caddy: external account binding, and a server whose certificate it got" {
    cat >Caddyfile <<EOF
{
    admin off
    http_port $HTTP_PORT
    https_port $TLS_PORT
    default_bind 127.0.0.1
    skip_install_trust
    email a@domain.com
    acme_ca $CA_DIRECTORY
    acme_ca_root $CA_FILE
    acme_eab {
        key_id bound
        mac_key $HMAC
    }
}
caddy.domain.com {
    respond "from Caddy"
}
EOF
    HOME=$PWD XDG_DATA_HOME=$PWD/data XDG_CONFIG_HOME=$PWD/config caddy run --config Caddyfile 3>&- 2>caddy.log &
    STARTED+=("$!")
    wait_for 120 shows caddy.domain.com || { cat caddy.log && return 1; }
    [ "$(curl -sf --cacert "$CA_ROOT" --resolve "caddy.domain.com:$TLS_PORT:127.0.0.1" "https://caddy.domain.com:$TLS_PORT/")" = "from Caddy" ]
}

@test "Ruby's acme-client: http-01, dns-01 for a wildcard, revocation, key change and deactivation" {
    serve_web
    write_dns_hook "$PWD/hook.sh"
    cat >order.rb <<'EOF'
require 'acme-client'
client = Acme::Client.new(private_key: OpenSSL::PKey::RSA.new(2048), directory: ENV['CA_DIRECTORY'],
                          connection_options: { ssl: { ca_file: ENV['CA_FILE'] } })
client.new_account(contact: 'mailto:a@domain.com', terms_of_service_agreed: true)
wait = ->(thing, states) { (sleep 0.5; thing.reload) while states.include?(thing.status) }
obtain = lambda do |name, file|
  order = client.new_order(identifiers: [name])
  order.authorizations.each do |authorization|
    if authorization.wildcard
      challenge = authorization.dns
      record = [authorization.domain, challenge.record_content]
      system('./hook.sh', 'begin', *record) or raise 'no record'
    else
      challenge = authorization.http
      File.write("#{ENV['DIR']}/www/#{challenge.filename}", challenge.file_content)
    end
    challenge.request_validation
    wait.(challenge, %w[pending processing])
    system('./hook.sh', 'done', *record) if record
    raise challenge.error.to_s unless challenge.status == 'valid'
  end
  key = OpenSSL::PKey::EC.generate('prime256v1')
  order.finalize(csr: Acme::Client::CertificateRequest.new(private_key: key, names: [name]))
  wait.(order, ['processing'])
  order.certificate.tap { |certificate| File.write(file, certificate) }
end
obtain.('*.rb.domain.com', 'wild.pem')
client.revoke(certificate: obtain.('ruby.domain.com', 'revoked.pem'), reason: 1)
client.account_key_change(new_private_key: OpenSSL::PKey::RSA.new(2048))
obtain.('ruby.domain.com', 'after.pem')
client.account_deactivate
EOF
    DIR=$DIR ruby order.rb
    good wild.pem
    openssl x509 -in wild.pem -noout -ext subjectAltName | grep -Fx '    DNS:*.rb.domain.com'
    in_crl revoked.pem
    good after.pem
    [ "$(requests keyChange)" -gt 0 ]
}
