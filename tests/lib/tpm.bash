# A TPM in software, and keys that never leave it.
# shellcheck shell=bash

# start_tpm DIR: a TPM at sockets in DIR; sets what OpenSSL's provider and the tools look at.
start_tpm() {
    mkdir -p "$1"
    swtpm socket --tpm2 --tpmstate dir="$1" --server type=unixio,path="$1/tpm" --ctrl type=unixio,path="$1/tpm.ctrl" \
        --flags not-need-init,startup-clear >"$1/log" 2>&1 3>&- &
    STARTED+=($!)
    export TPM2TOOLS_TCTI="swtpm:path=$1/tpm" TPM2OPENSSL_TCTI="swtpm:path=$1/tpm"
    # The provider keeps its connection to the TPM for the life of a program, which is no leak of ours.
    export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0"
    wait_for 10 tpm2_getcap properties-fixed # it has its socket before it listens there
}

# make_tpm_key HANDLE TYPE [OPTION...]: a key made in the TPM, at that handle from then on. No resource manager runs: what a
# step leaves in the TPM's memory is flushed.
make_tpm_key() {
    local handle=$1 type=$2
    shift 2
    tpm2_createprimary -Q -C o -G ecc -c primary.ctx
    tpm2_flushcontext -t
    tpm2_create -Q -C primary.ctx -G "$type" -u key.pub -r key.priv \
        -a 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|sign' "$@"
    tpm2_flushcontext -t
    tpm2_load -Q -C primary.ctx -u key.pub -r key.priv -c key.ctx
    tpm2_flushcontext -t
    tpm2_evictcontrol -Q -C o -c key.ctx "$handle"
    tpm2_flushcontext -t
}
