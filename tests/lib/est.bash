# A scripted EST server and the certificates around it. Needs common.bash.

# issue NAME SUBJECT CA EXTENSIONS...: NAME.pem and NAME.key, signed by CA.pem; without CA ("-") self-signed.
issue() {
    local name=$1 subject=$2 ca=$3
    shift 3
    printf '%s\n' "$@" >"$name.cnf"
    [ -e "$name.key" ] || openssl ecparam -name prime256v1 -genkey -noout -out "$name.key"
    openssl req -new -key "$name.key" -subj "$subject" -out "$name.req"
    if [ "$ca" = - ]; then
        openssl x509 -req -in "$name.req" -signkey "$name.key" -days "${DAYS:-90}" -extfile "$name.cnf" -out "$name.pem"
    else
        openssl x509 -req -in "$name.req" -CA "$ca.pem" -CAkey "$ca.key" -days "${DAYS:-90}" -extfile "$name.cnf" -out "$name.pem"
    fi 2>/dev/null
}

# est_world: root ca.pem, server certificates tls (127.0.0.1), other (another name), cmcra (another name, id-kp-cmcRA),
# a device's idevid.pem of another CA, and cacerts.p7. All tests have the same.
est_world() { made_once est . make_est_world; }
make_est_world() (
    cd "$1" || return
    issue ca '/CN=Test EST CA' - basicConstraints=critical,CA:TRUE keyUsage=critical,keyCertSign,cRLSign subjectKeyIdentifier=hash
    issue tls /CN=est ca subjectAltName=IP:127.0.0.1 extendedKeyUsage=serverAuth
    issue other /CN=127.0.0.1 ca subjectAltName=DNS:other.example extendedKeyUsage=serverAuth
    issue cmcra /CN=other ca subjectAltName=DNS:other.example extendedKeyUsage=serverAuth,1.3.6.1.5.5.7.3.28
    issue foreign '/CN=Foreign CA' - basicConstraints=critical,CA:TRUE
    issue idevid /CN=device/serialNumber=D-1 foreign extendedKeyUsage=clientAuth
    openssl crl2pkcs7 -nocrl -certfile ca.pem -outform DER -out cacerts.p7
    openssl x509 -in ca.pem -outform DER -out ca.der
)

# make_csrattrs NAME: attributes.der, CSR attributes that ask for this name.
make_csrattrs() {
    cat >attributes <<END
asn1 = SEQUENCE:attributes
[attributes]
one = SEQUENCE:extension_request
[extension_request]
type = OID:1.2.840.113549.1.9.14
values = SETWRAP,SEQUENCE:extensions
[extensions]
one = SEQUENCE:san
[san]
type = OID:subjectAltName
value = OCTWRAP,SEQUENCE:names
[names]
one = IMPLICIT:2,IA5STRING:$1
END
    openssl asn1parse -genconf attributes -noout -out attributes.der
}

# permit_old_tls FILE: a configuration with which OpenSSL permits every version of TLS and every cipher (OPENSSL_CONF).
permit_old_tls() {
    cat >"$1" <<'END'
openssl_conf = init
[init]
ssl_conf = ssl
[ssl]
system_default = weak
[weak]
MinProtocol = None
CipherString = ALL:@SECLEVEL=0
END
}

# start_est DIR CERTIFICATE [OPTION...]: sets EST_URL; DIR gets rules.json, log and copies of the CA. Another server can have its
# port afterwards, which no client of others gets meanwhile.
start_est() {
    local dir=$1 certificate=$2
    shift 2
    mkdir -p "$dir"
    cp ca.pem ca.key "$dir"
    : >"$dir/log"
    python3 "$ROOT/tests/lib/est_server.py" --dir "$dir" --cert "$certificate.pem" --key "$certificate.key" \
        --port "$(free_port)" --client-ca foreign.pem "$@" >"$dir/port" 2>"$dir/err" 3>&- &
    STARTED+=("$!")
    wait_for 20 test -s "$dir/port" || { cat "$dir/err" >&2; return 1; }
    EST_DIR=$dir
    EST_URL=https://127.0.0.1:$(cat "$dir/port")
    export EST_DIR EST_URL
}

# rules JSON: what the server answers from now on.
rules() {
    printf '%s\n' "$1" >"$EST_DIR/rules.new"
    jq -e . "$EST_DIR/rules.new" >/dev/null
    mv "$EST_DIR/rules.new" "$EST_DIR/rules.json"
}

# asked FILTER: jq over the log as one array.
asked() {
    jq -s "$1" "$EST_DIR/log"
}
