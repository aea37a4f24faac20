# fish completion for acme-order, made by completions/generate
complete -c acme-order -f
function __acme_order_once --description 'None of these was given, or only its value is missing'
    set -l words (commandline -opc)
    contains -- $words[-1] $argv; and return 0
    for word in $argv
        string match -q -- $word $words; and return 1
        string match -q -- "$word=*" $words; and return 1
    end
    return 0
end
function __acme_order_command --description 'The command on the line, which common options may precede'
    set -l skip 0
    for word in (commandline -opc)[2..]
        if test $skip = 1
            set skip 0
            continue
        end
        switch $word
            case --config -o --output --log-format --timeout --ca-file --trace --show
                set skip 1
            case '-*'
            case '*'
                echo $word
                return 0
        end
    end
    return 1
end
function __acme_order_is --description 'Whether the command is one of these'
    contains -- (__acme_order_command; or echo none) $argv
end
complete -c acme-order -n 'not __acme_order_command >/dev/null; or __acme_order_is help' -a new -d 'read a CSR, create an order, write the order document'
complete -c acme-order -n 'not __acme_order_command >/dev/null; or __acme_order_is help' -a authorize -d 'read an order document, complete its authorizations'
complete -c acme-order -n 'not __acme_order_command >/dev/null; or __acme_order_is help' -a finalize -d 'read an order document, submit its CSR, wait for issuance'
complete -c acme-order -n 'not __acme_order_command >/dev/null; or __acme_order_is help' -a download -d 'read an order document, write the certificate chain'
complete -c acme-order -n 'not __acme_order_command >/dev/null; or __acme_order_is help' -a run -d 'read a CSR, do all steps, write the certificate chain'
complete -c acme-order -n 'not __acme_order_command >/dev/null; or __acme_order_is help' -a status -d 'say what is wrong with kept certificates and what happens next; without any, read an order document and write its state'
complete -c acme-order -n 'not __acme_order_command >/dev/null; or __acme_order_is help' -a revoke -d 'read a certificate and have the CA revoke it'
complete -c acme-order -n 'not __acme_order_command >/dev/null; or __acme_order_is help' -a renewal-info -d 'read a certificate, write the renewal window that the CA suggests'
complete -c acme-order -n 'not __acme_order_command >/dev/null; or __acme_order_is help' -a renew -d 'renew certificates that expire soon or that the CA suggests renewing; for cron'
complete -c acme-order -n 'not __acme_order_command >/dev/null; or __acme_order_is help' -a list -d 'list kept certificates and orders, and their next renewals'
complete -c acme-order -n 'not __acme_order_command >/dev/null; or __acme_order_is help' -a check -d 'tell a monitor about deployed certificates, by line and exit status'
complete -c acme-order -n 'not __acme_order_command >/dev/null' -a help -d 'show the commands, or the options of one'
complete -c acme-order -n '__acme_order_is new authorize finalize download run status revoke renewal-info renew list; and __acme_order_once --account' -l account -r -F -d 'Account file, created by acme-account register'
complete -c acme-order -n '__acme_order_is new authorize finalize download run status revoke renewal-info renew list; and __acme_order_once --state' -l state -x -a '(__fish_complete_directories)' -d 'State directory'
complete -c acme-order -n '__acme_order_is new authorize finalize download run status revoke renewal-info renew list; and __acme_order_once --account-passphrase-file' -l account-passphrase-file -r -F -d 'Passphrase of the account\'s key'
complete -c acme-order -n '__acme_order_is new run renew' -l ancestor-domain -x -d 'Parent domain whose authorization covers the names below it (RFC 9444; repeatable)'
complete -c acme-order -n '__acme_order_is new run renew; and __acme_order_once --profile' -l profile -x -d 'Certificate profile offered by the CA'
complete -c acme-order -n '__acme_order_is new run renew; and __acme_order_once --not-before' -l not-before -x -d 'Request this start of validity: RFC 3339 or a duration from now'
complete -c acme-order -n '__acme_order_is new run renew; and __acme_order_once --not-after' -l not-after -x -d 'Request this end of validity: RFC 3339 or a duration from now'
complete -c acme-order -n 'not __fish_contains_opt -s h help' -s h -l help -d 'Show this help; with --json as a document'
complete -c acme-order -n 'not __fish_contains_opt version' -l version -d 'Show the version'
complete -c acme-order -n '__acme_order_once --config' -l config -r -F -d 'Read options from this TOML file'
complete -c acme-order -n 'not __fish_contains_opt json' -l json -d 'Print the result as a JSON document'
complete -c acme-order -n '__acme_order_once -o --output' -s o -l output -r -F -d 'Write the result to this file, atomically'
complete -c acme-order -n 'not __fish_contains_opt -s q quiet' -s q -l quiet -d 'Only print errors'
complete -c acme-order -s v -l verbose -d 'Print each step; -vv also prints each request'
complete -c acme-order -n '__acme_order_once --log-format' -l log-format -x -a 'text json' -d 'Format of the log: text, or json for one document per line'
complete -c acme-order -n '__acme_order_is new authorize finalize download run status revoke renewal-info renew check; and __acme_order_once --timeout' -l timeout -x -d 'Give up, or report "not yet", after this time'
complete -c acme-order -n '__acme_order_is new authorize finalize download run status revoke renewal-info renew check; and __acme_order_once --ca-file' -l ca-file -r -F -d 'Trust anchors (PEM) instead of the system\'s'
complete -c acme-order -n '__acme_order_is new authorize finalize download run status revoke renewal-info renew check; and __acme_order_once --trace' -l trace -r -F -d 'Append every protocol message to this file (JSON Lines)'
complete -c acme-order -n '__acme_order_is new authorize finalize download run status revoke renewal-info renew check; and __acme_order_once --show' -l show -x -a 'flow' -d 'flow: draw the messages on standard error'
complete -c acme-order -n '__acme_order_is authorize run renew; and __acme_order_once --dns-update' -l dns-update -x -d 'Solve dns-01 by dynamic update (RFC 2136) of this server'
complete -c acme-order -n '__acme_order_is authorize run renew; and __acme_order_once --tsig-key' -l tsig-key -r -F -d 'TSIG key, in the form of tsig-keygen or as ALGORITHM:NAME:BASE64'
complete -c acme-order -n '__acme_order_is authorize run renew' -l dns-allow-zone -x -d 'Zone to which a CNAME may redirect the update (repeatable)'
complete -c acme-order -n '__acme_order_is authorize run renew; and __acme_order_once --hook' -l hook -r -F -d 'Solve challenges with this program; see acmetool-hooks(7)'
complete -c acme-order -n '__acme_order_is authorize run renew; and __acme_order_once --hook-style' -l hook-style -x -a 'uacme certbot dehydrated lego' -d 'Calling convention of the hook: uacme, certbot, dehydrated or lego'
complete -c acme-order -n '__acme_order_is authorize run renew; and __acme_order_once --hook-cleanup' -l hook-cleanup -r -F -d 'With certbot style: program that cleans up after --hook'
complete -c acme-order -n '__acme_order_is authorize run renew' -l hook-env -x -d 'Environment variable that hooks get, besides those of acmetool-hooks(7) (repeatable)'
complete -c acme-order -n '__acme_order_is authorize run renew; and __acme_order_once --hook-timeout' -l hook-timeout -x -d 'Kill a hook that runs longer than this'
complete -c acme-order -n '__acme_order_is authorize run renew; and __acme_order_once --webroot' -l webroot -x -a '(__fish_complete_directories)' -d 'Solve http-01 with files under this folder'
complete -c acme-order -n '__acme_order_is authorize run renew; and __acme_order_once --standalone' -l standalone -x -a 'http tls-alpn' -d 'Solve http-01 (http) or tls-alpn-01 (tls-alpn) with a built-in listener'
complete -c acme-order -n '__acme_order_is authorize run renew; and __acme_order_once --standalone-listen' -l standalone-listen -x -d 'Address and port of that listener'
complete -c acme-order -n '__acme_order_is authorize run renew; and not __fish_contains_opt dns-account' -l dns-account -d 'Solve dns-account-01, whose record name belongs to this account alone, instead of dns-01'
complete -c acme-order -n '__acme_order_is authorize run renew; and not __fish_contains_opt dns-persist' -l dns-persist -d 'Solve dns-persist-01 with the record that acme-preauth persist-record prints'
complete -c acme-order -n '__acme_order_is authorize run renew; and not __fish_contains_opt manual' -l manual -d 'Print what to publish and wait for Enter'
complete -c acme-order -n '__acme_order_is authorize run renew; and __acme_order_once --resolver' -l resolver -x -d 'Find name servers with this resolver'
complete -c acme-order -n '__acme_order_is authorize run renew' -l name-server -x -d 'Check this server instead of the zone\'s servers (repeatable)'
complete -c acme-order -n '__acme_order_is authorize run renew; and not __fish_contains_opt no-dns-check' -l no-dns-check -d 'Do not check that the record is visible'
complete -c acme-order -n '__acme_order_is authorize run renew; and __acme_order_once --dns-wait' -l dns-wait -x -d 'Longest wait for the record to become visible'
complete -c acme-order -n '__acme_order_is download run renew; and __acme_order_once --preferred-chain' -l preferred-chain -x -d 'Prefer the chain with this issuer name or with a certificate of this SHA-256'
complete -c acme-order -n '__acme_order_is status list; and __acme_order_once --config-dir' -l config-dir -x -a '(__fish_complete_directories)' -d 'Certificates of the .toml files in this folder, as renew has them'
complete -c acme-order -n '__acme_order_is status list; and __acme_order_once --before' -l before -x -d 'As renew has it: a duration or a share of the lifetime'
complete -c acme-order -n '__acme_order_is status; and not __fish_contains_opt all' -l all -d 'All kept certificates and orders'
complete -c acme-order -n '__acme_order_is revoke; and __acme_order_once --cert-key' -l cert-key -r -F -d 'Sign with the certificate\'s key instead of the account\'s'
complete -c acme-order -n '__acme_order_is revoke; and __acme_order_once --directory' -l directory -x -d 'With --cert-key: ACME directory of the CA, if there is no account file'
complete -c acme-order -n '__acme_order_is revoke; and __acme_order_once --reason' -l reason -x -a 'unspecified keyCompromise cACompromise affiliationChanged superseded cessationOfOperation certificateHold removeFromCRL privilegeWithdrawn aACompromise' -d 'Reason code of RFC 5280 by name or number, such as keyCompromise or 1'
complete -c acme-order -n '__acme_order_is renewal-info; and __acme_order_once --directory' -l directory -x -d 'ACME directory of the CA, if there is no account file'
complete -c acme-order -n '__acme_order_is renew; and __acme_order_once --csr' -l csr -r -F -d 'CSR of the certificate'
complete -c acme-order -n '__acme_order_is renew; and __acme_order_once --key' -l key -r -F -d 'Create the CSR with this private key (file or URI)'
complete -c acme-order -n '__acme_order_is renew' -l dns -x -d 'With --key: DNS name (repeatable)'
complete -c acme-order -n '__acme_order_is renew' -l ip -x -d 'With --key: IP address (repeatable)'
complete -c acme-order -n '__acme_order_is renew; and __acme_order_once --before' -l before -x -d 'Renew this long before expiry, even if the CA\'s window is later: a duration or a share of the lifetime'
complete -c acme-order -n '__acme_order_is renew; and __acme_order_once --deploy-hook' -l deploy-hook -r -F -d 'Program to run after a new certificate is written'
complete -c acme-order -n '__acme_order_is renew; and __acme_order_once --config-dir' -l config-dir -x -a '(__fish_complete_directories)' -d 'Renew many certificates: one per .toml file in this folder'
complete -c acme-order -n '__acme_order_is renew; and not __fish_contains_opt check' -l check -d 'Only report by exit status: 0 due, 1 nothing to do, 255 error'
complete -c acme-order -n '__acme_order_is renew; and not __fish_contains_opt detailed-exitcode' -l detailed-exitcode -d 'Exit with 2 if nothing changed'
complete -c acme-order -n '__acme_order_is renew; and __acme_order_once --jitter' -l jitter -x -d 'Wait up to this long, at random, before the requests for each certificate'
complete -c acme-order -n '__acme_order_is renew; and __acme_order_once --parallel' -l parallel -x -d 'With --config-dir: renew so many at a time'
complete -c acme-order -n '__acme_order_is renew; and __acme_order_once --metrics-file' -l metrics-file -r -F -d 'Write metrics for node_exporter to this file'
complete -c acme-order -n '__acme_order_is check' -l name -x -d 'Name or address that it must be valid for (repeatable)'
complete -c acme-order -n '__acme_order_is check; and __acme_order_once --key' -l key -r -F -d 'Private key that must fit it (file or URI)'
complete -c acme-order -n '__acme_order_is check; and __acme_order_once --trust' -l trust -r -F -d 'Roots (PEM) that the chain must lead to'
complete -c acme-order -n '__acme_order_is check' -l crl -x -d 'File or URL of a CRL: it must not be revoked there (repeatable)'
complete -c acme-order -n '__acme_order_is check; and __acme_order_once --directory' -l directory -x -d 'ACME directory of its CA, which is asked when it should be renewed'
complete -c acme-order -n '__acme_order_is check; and __acme_order_once --warning' -l warning -x -d 'Warn this long before expiry: a duration or a share of the lifetime'
complete -c acme-order -n '__acme_order_is check; and __acme_order_once --critical' -l critical -x -d 'Critical this long before expiry'
complete -c acme-order -n '__acme_order_is check' -F
