# fish completion for brski-pledge, made by completions/generate
complete -c brski-pledge -f
function __brski_pledge_once --description 'None of these was given, or only its value is missing'
    set -l words (commandline -opc)
    contains -- $words[-1] $argv; and return 0
    for word in $argv
        string match -q -- $word $words; and return 1
        string match -q -- "$word=*" $words; and return 1
    end
    return 0
end
function __brski_pledge_command --description 'The command on the line, which common options may precede'
    set -l skip 0
    for word in (commandline -opc)[2..]
        if test $skip = 1
            set skip 0
            continue
        end
        switch $word
            case --config -o --output --log-format --timeout --trace --show --ca-file
                set skip 1
            case '-*'
            case '*'
                echo $word
                return 0
        end
    end
    return 1
end
function __brski_pledge_is --description 'Whether the command is one of these'
    contains -- (__brski_pledge_command; or echo none) $argv
end
complete -c brski-pledge -n 'not __brski_pledge_command >/dev/null; or __brski_pledge_is help' -a sign-request -d 'write a voucher-request'
complete -c brski-pledge -n 'not __brski_pledge_command >/dev/null; or __brski_pledge_is help' -a requestvoucher -d 'send a voucher-request, write the voucher'
complete -c brski-pledge -n 'not __brski_pledge_command >/dev/null; or __brski_pledge_is help' -a verify -d 'read a voucher, write the certificate that it pins'
complete -c brski-pledge -n 'not __brski_pledge_command >/dev/null; or __brski_pledge_is help' -a voucher-status -d 'report the result with POST voucher_status'
complete -c brski-pledge -n 'not __brski_pledge_command >/dev/null; or __brski_pledge_is help' -a enroll-status -d 'report the result with POST enrollstatus'
complete -c brski-pledge -n 'not __brski_pledge_command >/dev/null; or __brski_pledge_is help' -a discover -d 'print the registrars that can be found, in the order of trial'
complete -c brski-pledge -n 'not __brski_pledge_command >/dev/null; or __brski_pledge_is help' -a run -d 'do all steps: voucher, CA certificates, CSR attributes, enrolment; write the certificate'
complete -c brski-pledge -n 'not __brski_pledge_command >/dev/null' -a help -d 'show the commands, or the options of one'
complete -c brski-pledge -n '__brski_pledge_is sign-request requestvoucher verify voucher-status enroll-status run; and __brski_pledge_once --idevid' -l idevid -r -F -d 'Manufacturer\'s certificate of the device (IDevID), PEM'
complete -c brski-pledge -n '__brski_pledge_is sign-request requestvoucher voucher-status enroll-status run; and __brski_pledge_once --key' -l key -r -F -d 'Private key of --idevid'
complete -c brski-pledge -n '__brski_pledge_is sign-request requestvoucher voucher-status enroll-status run; and __brski_pledge_once --key-passphrase-file' -l key-passphrase-file -r -F -d 'Passphrase of --key'
complete -c brski-pledge -n '__brski_pledge_is sign-request; and __brski_pledge_once --registrar' -l registrar -x -d 'Registrar from which to get the certificate'
complete -c brski-pledge -n '__brski_pledge_is sign-request; and __brski_pledge_once --registrar-cert' -l registrar-cert -r -F -d 'Certificate of the registrar, PEM'
complete -c brski-pledge -n '__brski_pledge_is sign-request run; and __brski_pledge_once --format' -l format -x -a 'cms jws' -d 'Format of the voucher-request: cms or jws'
complete -c brski-pledge -n '__brski_pledge_is sign-request verify run; and not __fish_contains_opt no-clock' -l no-clock -d 'Ignore dates, for a device without a clock'
complete -c brski-pledge -n 'not __fish_contains_opt -s h help' -s h -l help -d 'Show this help; with --json as a document'
complete -c brski-pledge -n 'not __fish_contains_opt version' -l version -d 'Show the version'
complete -c brski-pledge -n '__brski_pledge_once --config' -l config -r -F -d 'Read options from this TOML file'
complete -c brski-pledge -n 'not __fish_contains_opt json' -l json -d 'Print the result as a JSON document'
complete -c brski-pledge -n '__brski_pledge_once -o --output' -s o -l output -r -F -d 'Write the result to this file, atomically'
complete -c brski-pledge -n 'not __fish_contains_opt -s q quiet' -s q -l quiet -d 'Only print errors'
complete -c brski-pledge -s v -l verbose -d 'Print each step; -vv also prints each request'
complete -c brski-pledge -n '__brski_pledge_once --log-format' -l log-format -x -a 'text json' -d 'Format of the log: text, or json for one document per line'
complete -c brski-pledge -n '__brski_pledge_is sign-request requestvoucher voucher-status enroll-status discover run; and __brski_pledge_once --timeout' -l timeout -x -d 'Give up, or report "not yet", after this time'
complete -c brski-pledge -n '__brski_pledge_is sign-request requestvoucher voucher-status enroll-status discover run; and __brski_pledge_once --trace' -l trace -r -F -d 'Append every protocol message to this file (JSON Lines)'
complete -c brski-pledge -n '__brski_pledge_is sign-request requestvoucher voucher-status enroll-status discover run; and __brski_pledge_once --show' -l show -x -a 'flow' -d 'flow: draw the messages on standard error'
complete -c brski-pledge -n '__brski_pledge_is requestvoucher voucher-status enroll-status run; and __brski_pledge_once --registrar' -l registrar -x -d 'URL of the registrar'
complete -c brski-pledge -n '__brski_pledge_is requestvoucher run; and __brski_pledge_once --cloud' -l cloud -x -d 'Cloud registrar, verified with --ca-file or the system\'s trust anchors'
complete -c brski-pledge -n '__brski_pledge_is requestvoucher discover run; and __brski_pledge_once --ca-file' -l ca-file -r -F -d 'Trust anchors (PEM) instead of the system\'s'
complete -c brski-pledge -n '__brski_pledge_is verify run; and __brski_pledge_once --manufacturer-ta' -l manufacturer-ta -r -F -d 'Trust anchors (PEM) for voucher signatures'
complete -c brski-pledge -n '__brski_pledge_is verify run' -l crl -r -F -d 'CRLs of the domain\'s CAs, for vouchers that demand revocation checks (repeatable)'
complete -c brski-pledge -n '__brski_pledge_is verify run; and not __fish_contains_opt nonceless' -l nonceless -d 'Accept vouchers without a nonce'
complete -c brski-pledge -n '__brski_pledge_is verify; and __brski_pledge_once --request' -l request -r -F -d 'Voucher-request for this voucher'
complete -c brski-pledge -n '__brski_pledge_is verify; and __brski_pledge_once --registrar-cert' -l registrar-cert -r -F -d 'Certificates that the registrar presented, PEM'
complete -c brski-pledge -n '__brski_pledge_is verify; and not __fish_contains_opt explain' -l explain -d 'Print each check with its result'
complete -c brski-pledge -n '__brski_pledge_is voucher-status enroll-status; and __brski_pledge_once --registrar-cert' -l registrar-cert -r -F -d 'Certificate that the registrar must present, PEM'
complete -c brski-pledge -n '__brski_pledge_is voucher-status enroll-status; and not __fish_contains_opt failed' -l failed -d 'Report a failure'
complete -c brski-pledge -n '__brski_pledge_is voucher-status enroll-status; and __brski_pledge_once --reason' -l reason -x -d 'Reason for the registrar\'s log'
complete -c brski-pledge -n '__brski_pledge_is discover run' -l interface -x -d 'Network interface to ask for registrars by multicast DNS (repeatable)'
complete -c brski-pledge -n '__brski_pledge_is discover run; and __brski_pledge_once --domain' -l domain -x -d 'Domain whose DNS names registrars'
complete -c brski-pledge -n '__brski_pledge_is run; and not __fish_contains_opt discover' -l discover -d 'Find the registrar by multicast DNS, then by DNS'
complete -c brski-pledge -n '__brski_pledge_is run; and __brski_pledge_once --new-key' -l new-key -x -a 'auto ec:P-256 ec:P-384 ec:P-521 rsa:2048 rsa:3072 rsa:4096 ed25519' -d 'Type of a new key: ec:P-256, rsa:3072, ...; auto: as the server requests'
complete -c brski-pledge -n '__brski_pledge_is run; and __brski_pledge_once --key-out' -l key-out -r -F -d 'File for the new key (mode 0600, never overwritten)'
complete -c brski-pledge -n '__brski_pledge_is run; and __brski_pledge_once --save-cacerts' -l save-cacerts -r -F -d 'Write the CA certificates to this file'
complete -c brski-pledge -n '__brski_pledge_is run; and __brski_pledge_once --save-voucher' -l save-voucher -r -F -d 'Write the voucher to this file'
complete -c brski-pledge -n '__brski_pledge_is run; and __brski_pledge_once --journal' -l journal -r -F -d 'State of an interrupted run'
