# Certification paths with one fault each, and CRLs. Needs common.bash.
# Whatever OpenSSL refuses by its configuration is made with WEAK_CONF, which programs get as OPENSSL_CONF.

# The faults that are no matter of the purpose.
PATH_FAULTS="rsa1024 rsa1024-issuer md5 md5-issuer sha1 sha1-issuer curve curve-issuer expired expired-issuer future no-ca pathlen names critical v1-issuer impostor"

# weak_conf: an OpenSSL configuration with security level 0, as other systems have; sets WEAK_CONF.
weak_conf() {
    WEAK_CONF=$PWD/weak.cnf
    printf 'openssl_conf = init\n[init]\nssl_conf = ssl\n[ssl]\nsystem_default = level\n[level]\nCipherString = DEFAULT@SECLEVEL=0\n' \
        >"$WEAK_CONF"
    export WEAK_CONF
}

# chain_key FILE [RSA-BITS | explicit]: explicit is a curve by its parameters instead of its name.
chain_key() {
    if [ "${2:-}" = explicit ]; then
        openssl ecparam -name prime256v1 -genkey -noout -param_enc explicit -out "$1"
    elif [ -n "${2:-}" ]; then
        openssl genrsa -out "$1" "$2" 2>/dev/null
    else
        openssl ecparam -name prime256v1 -genkey -noout -out "$1"
    fi
}

# chain_link NAME SUBJECT ISSUER CLOCK DIGEST [EXTENSION...]: NAME.pem for NAME.key; ISSUER is a file without its suffix,
# or - for a self-signed one; CLOCK is when it is made, as faketime has it, and it is valid for a day.
chain_link() {
    local name=$1 subject=$2 issuer=$3 clock=$4 digest=$5 sign
    shift 5
    sign=(-signkey "$name.key")
    [ "$issuer" = - ] || sign=(-CA "$issuer.pem" -CAkey "$issuer.key")
    openssl req -new -key "$name.key" -subj "$subject" -out "$name.req"
    if [ $# -gt 0 ]; then
        printf '%s\n' "$@" >"$name.cnf"
        sign+=(-extfile "$name.cnf")
    fi
    at_clock "$clock" openssl x509 -req -in "$name.req" "-$digest" -days 1 -set_serial "0x$(openssl rand -hex 8)" \
        "${sign[@]}" -out "$name.pem" 2>/dev/null
}

# make_chain DIR FAULT SUBJECT [EXTENSION...]: DIR/anchor.pem, DIR/middle.pem, DIR/end.pem with end.key, and DIR/chain.pem, which
# the peer shows: the end entity, then DIR/others.pem. FAULT is one of PATH_FAULTS, or none. The EXTENSIONs are those of the end entity.
make_chain() {
    local dir=$1 fault=$2 subject=$3 clock=-1h middle_clock=-1h digest=sha256 middle_digest=sha256 key='' middle_key='' anchor_key=''
    local ca=basicConstraints=critical,CA:TRUE usage=keyUsage=critical,keyCertSign,cRLSign
    local anchor=("$ca" "$usage" subjectKeyIdentifier=hash) middle=("$ca" "$usage" subjectKeyIdentifier=hash)
    shift 3
    local end=("$@")
    case $fault in
    none) ;;
    rsa1024) key=1024 ;;
    rsa1024-issuer) middle_key=1024 ;;
    md5) digest=md5 middle_key=2048 ;; # there is no ECDSA with MD5
    md5-issuer) middle_digest=md5 anchor_key=2048 ;;
    sha1) digest=sha1 ;;
    sha1-issuer) middle_digest=sha1 ;;
    curve) key=explicit ;;
    curve-issuer) middle_key=explicit ;;
    expired) clock=-3d ;;
    expired-issuer) middle_clock=-3d ;;
    future) clock=+3d ;;
    no-ca) middle=("basicConstraints=critical,CA:FALSE") ;;
    pathlen) anchor[0]=basicConstraints=critical,CA:TRUE,pathlen:0 ;;
    names) middle+=("nameConstraints=critical,permitted;DNS:example.org,permitted;IP:192.0.2.0/255.255.255.0") ;;
    critical) end+=("1.2.3.4.5=critical,ASN1:NULL") ;;
    v1-issuer) middle=() ;;
    impostor) ;;
    *) return 1 ;;
    esac
    mkdir -p "$dir"
    chain_key "$dir/anchor.key" "$anchor_key"
    chain_key "$dir/middle.key" "$middle_key"
    chain_key "$dir/end.key" "$key"
    chain_link "$dir/anchor" "/CN=Anchor $fault" - -1h sha256 "${anchor[@]}"
    chain_link "$dir/middle" "/CN=Intermediate $fault" "$dir/anchor" "$middle_clock" "$middle_digest" "${middle[@]}"
    chain_link "$dir/end" "$subject" "$dir/middle" "$clock" "$digest" "${end[@]}"
    cp "$dir/middle.pem" "$dir/others.pem"
    if [ "$fault" = impostor ]; then # the path leads to a CA of the anchor's name
        mv "$dir/anchor.pem" "$dir/impostor.pem"
        cat "$dir/impostor.pem" >>"$dir/others.pem"
        chain_key "$dir/anchor.key"
        chain_link "$dir/anchor" "/CN=Anchor $fault" - -1h sha256 "${anchor[@]}"
    fi
    cat "$dir/end.pem" "$dir/others.pem" >"$dir/chain.pem"
}

# make_crl FILE CA CLOCK [CERTIFICATE...]: the CRL of CA.pem with CA.key that revokes these, made at CLOCK and valid for a day.
make_crl() {
    local file=$1 ca=$2 clock=$3 certificate
    shift 3
    : >"$file.index"
    printf '[ca]\ndefault_ca = one\n[one]\ndatabase = %s.index\ndefault_md = sha256\ndefault_crl_days = 1\n' "$file" >"$file.cnf"
    for certificate in "$@"; do
        openssl ca -config "$file.cnf" -cert "$ca.pem" -keyfile "$ca.key" -revoke "$certificate" 2>/dev/null
    done
    at_clock "$clock" openssl ca -config "$file.cnf" -cert "$ca.pem" -keyfile "$ca.key" -gencrl -out "$file" 2>/dev/null
}
