# A CA that changes its root and its intermediate. Needs est.bash (issue).

# shellcheck disable=SC2054
CA_EXTENSIONS=(basicConstraints=critical,CA:TRUE keyUsage=critical,keyCertSign,cRLSign,digitalSignature subjectKeyIdentifier=hash)

# key_update OLD NEW: NEW.pem and NEW.key, a root with the name of OLD and another key that expires later, and in
# NEW-links.pem what leads from each to the other: OldWithNew and NewWithOld (RFC 4210 section 4.4).
key_update() {
    local old=$1 new=$2 name
    name=/$(openssl x509 -in "$old.pem" -noout -subject -nameopt RFC2253 | sed 's/^subject=//')
    DAYS=9000 issue "$new" "$name" - "${CA_EXTENSIONS[@]}"
    cp "$old.key" "$new-old.key"
    DAYS=3000 issue "$new-old" "$name" "$new" "${CA_EXTENSIONS[@]}" authorityKeyIdentifier=keyid:always
    cp "$new.key" "$new-new.key"
    DAYS=3000 issue "$new-new" "$name" "$old" "${CA_EXTENSIONS[@]}" authorityKeyIdentifier=keyid:always
    cat "$new-old.pem" "$new-new.pem" >"$new-links.pem"
}

# make_intermediate DIR ROOT NAME: DIR/int.pem and DIR/int.key under ROOT.
make_intermediate() {
    mkdir -p "$1"
    DAYS=2000 issue "$1/int" "/CN=$3" "$2" "${CA_EXTENSIONS[@]}" authorityKeyIdentifier=keyid:always
}

# issue_tls FILE CA [EXTENSION...]: FILE.pem and FILE.key for localhost.
issue_tls() {
    local file=$1 ca=$2
    shift 2
    issue "$file" /CN=localhost "$ca" subjectAltName=DNS:localhost,IP:127.0.0.1 extendedKeyUsage=serverAuth \
        subjectKeyIdentifier=hash authorityKeyIdentifier=keyid:always "$@"
}

# cas_of FILE [CURL OPTION...]: the certificates of the relay's /cacerts as curl and openssl see them.
cas_of() {
    local file=$1
    shift
    curl -sf --max-time 20 "$@" "https://127.0.0.1:$RELAY_PORT/.well-known/est/cacerts" | openssl base64 -d |
        openssl pkcs7 -inform DER -print_certs -out "$file"
}

# below_roots FILE: its certificates that are not self-signed.
below_roots() {
    local one
    csplit -s -z -f "$1." "$1" '/BEGIN CERTIFICATE/' '{*}'
    for one in "$1".[0-9]*; do
        openssl verify -no-CApath -no-CAstore -CAfile "$one" "$one" >/dev/null 2>&1 || cat "$one"
    done
}

# root_lines LINE...: what the relay.toml in PKI says in [cacerts].
root_lines() {
    printf '%s\n' "$@" >"$PKI/lines"
    sed -i -e '/^\[cacerts\]/,/^\[/{/^\[cacerts\]/!{/^\[/!d}}' -e "/^\[cacerts\]/r $PKI/lines" "${TOML:-$PKI/relay.toml}"
}

# reload: the running relay takes its files.
reload() {
    local before
    before=$(grep -c '"reloaded"' "$PKI/relay.log" || true)
    kill -HUP "$RELAY_PID"
    # shellcheck disable=SC2016
    wait_for 20 bash -c '(($(grep -c "\"reloaded\"" "$0") > $1))' "$PKI/relay.log" "$before"
}
