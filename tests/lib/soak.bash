# Many devices that enrol by EST whatever becomes of what they ask. Needs common.bash and relay.bash; PATIENCE is the longest
# time for one device. The test says by est_port NUMBER ATTEMPT which relay a device asks.

BATCHES=()

make_devices() { # FIRST LAST: certificate and request of each
    local i
    mkdir -p got
    for ((i = $1; i <= $2; i++)); do
        make_idevid "$PKI" "soak$i"
        echo "soak$i" >>"$PKI/devices.csv"
        make_csr "soak$i.iot.domain.com" "soak$i.csr"
    done
}

# one_device NUMBER: asks again after 202, 5xx and a connection that broke. got/NUMBER.pem is its certificate; what was
# answered is in got/NUMBER.statuses.
one_device() {
    local status end=$((SECONDS + PATIENCE)) attempt
    for ((attempt = 0; SECONDS < end; attempt++)); do
        status=$(curl -s --max-time 20 --cacert "$PKI/tls-root.pem" --cert "$PKI/soak$1.pem" --key "$PKI/soak$1.key" \
            -H 'Content-Type: application/pkcs10' --data-binary "@soak$1.csr" -o "got/$1.body" -w '%{http_code}' \
            "https://127.0.0.1:$(est_port "$1" "$attempt")/.well-known/est/simpleenroll") || status=000
        echo "$status" >>"got/$1.statuses"
        case $status in
        200)
            openssl base64 -d -in "got/$1.body" | openssl pkcs7 -inform DER -print_certs -out "got/$1.pem"
            return
            ;;
        202 | 5?? | 000) sleep 0.5 ;;
        *) return 1 ;;
        esac
    done
    return 1
}

batch() { # FIRST LAST: these devices, one after the other, in the background
    local i
    (for ((i = $1; i <= $2; i++)); do one_device "$i" || true; done) 3>&- &
    BATCHES+=($!)
}

wait_for_devices() {
    local pid
    for pid in "${BATCHES[@]}"; do wait "$pid" || true; done
    BATCHES=()
}

stop_devices() {
    local pid
    for pid in "${BATCHES[@]}"; do kill "$pid" 2>/dev/null || true; done
}

# has_one NUMBER: the device has a certificate for its key, and the CA made one for it, by the names in ISSUED.
has_one() {
    if [ ! -e "got/$1.pem" ]; then
        echo "soak$1 has none: $(sort "got/$1.statuses" | uniq -c | xargs), $(cat "got/$1.body")" >&2
        return 1
    fi
    cmp <(openssl x509 -in "got/$1.pem" -noout -pubkey) <(openssl pkey -in "soak$1.csr.key" -pubout)
    [ "$(grep -cx "soak$1.iot.domain.com" <<<"$ISSUED")" = 1 ] || { echo "soak$1: not one certificate" >&2 && return 1; }
}

# each_has_one FIRST LAST: the same of each of these devices, by what the CA says now.
each_has_one() {
    local i
    ISSUED=$(acme-ca list --dir ca | jq -r '.certificates[].identifiers[0].value')
    for ((i = $1; i <= $2; i++)); do has_one "$i"; done
    echo "# $(($2 - $1 + 1)) devices; answers: $(cat got/*.statuses | sort | uniq -c | xargs)" >&3
}
