# fish completion for acme-preauth, made by completions/generate
complete -c acme-preauth -f
function __acme_preauth_once --description 'None of these was given, or only its value is missing'
    set -l words (commandline -opc)
    contains -- $words[-1] $argv; and return 0
    for word in $argv
        string match -q -- $word $words; and return 1
        string match -q -- "$word=*" $words; and return 1
    end
    return 0
end
function __acme_preauth_command --description 'The command on the line, which common options may precede'
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
function __acme_preauth_is --description 'Whether the command is one of these'
    contains -- (__acme_preauth_command; or echo none) $argv
end
complete -c acme-preauth -n 'not __acme_preauth_command >/dev/null; or __acme_preauth_is help' -a new -d 'request an authorization, write the authorization document'
complete -c acme-preauth -n 'not __acme_preauth_command >/dev/null; or __acme_preauth_is help' -a publish -d 'read the document, publish the challenge, wait until visible'
complete -c acme-preauth -n 'not __acme_preauth_command >/dev/null; or __acme_preauth_is help' -a respond -d 'read the document, respond to the challenge, wait until valid'
complete -c acme-preauth -n 'not __acme_preauth_command >/dev/null; or __acme_preauth_is help' -a cleanup -d 'read the document, remove the published challenge'
complete -c acme-preauth -n 'not __acme_preauth_command >/dev/null; or __acme_preauth_is help' -a run -d 'do all steps: new, publish, respond, cleanup'
complete -c acme-preauth -n 'not __acme_preauth_command >/dev/null; or __acme_preauth_is help' -a status -d 'say what is wrong with kept authorizations and what happens next; without a domain, read the document and write its authorization\'s state'
complete -c acme-preauth -n 'not __acme_preauth_command >/dev/null; or __acme_preauth_is help' -a list -d 'list kept authorizations and their next renewals'
complete -c acme-preauth -n 'not __acme_preauth_command >/dev/null; or __acme_preauth_is help' -a deactivate -d 'read the document, deactivate the authorization'
complete -c acme-preauth -n 'not __acme_preauth_command >/dev/null; or __acme_preauth_is help' -a persist-record -d 'print the persistent TXT record for dns-persist-01'
complete -c acme-preauth -n 'not __acme_preauth_command >/dev/null; or __acme_preauth_is help' -a caa-record -d 'print CAA records that allow only this account to issue'
complete -c acme-preauth -n 'not __acme_preauth_command >/dev/null; or __acme_preauth_is help' -a dns-policy -d 'create a TSIG key, print the policy that limits it to the validation records'
complete -c acme-preauth -n 'not __acme_preauth_command >/dev/null; or __acme_preauth_is help' -a renew -d 'renew authorizations that expire soon; for cron'
complete -c acme-preauth -n 'not __acme_preauth_command >/dev/null' -a help -d 'show the commands, or the options of one'
complete -c acme-preauth -n '__acme_preauth_is new respond run status list deactivate persist-record caa-record renew; and __acme_preauth_once --account' -l account -r -F -d 'Account file, created by acme-account register'
complete -c acme-preauth -n '__acme_preauth_is new respond run status list deactivate persist-record caa-record renew; and __acme_preauth_once --state' -l state -x -a '(__fish_complete_directories)' -d 'State directory'
complete -c acme-preauth -n '__acme_preauth_is new respond run status list deactivate persist-record caa-record renew; and __acme_preauth_once --account-passphrase-file' -l account-passphrase-file -r -F -d 'Passphrase of the account\'s key'
complete -c acme-preauth -n '__acme_preauth_is new publish cleanup run renew; and __acme_preauth_once --dns-update' -l dns-update -x -d 'Solve dns-01 by dynamic update (RFC 2136) of this server'
complete -c acme-preauth -n '__acme_preauth_is new publish cleanup run renew; and __acme_preauth_once --tsig-key' -l tsig-key -r -F -d 'TSIG key, in the form of tsig-keygen or as ALGORITHM:NAME:BASE64'
complete -c acme-preauth -n '__acme_preauth_is new publish cleanup run renew' -l dns-allow-zone -x -d 'Zone to which a CNAME may redirect the update (repeatable)'
complete -c acme-preauth -n '__acme_preauth_is new publish cleanup run renew; and __acme_preauth_once --hook' -l hook -r -F -d 'Solve challenges with this program; see acmetool-hooks(7)'
complete -c acme-preauth -n '__acme_preauth_is new publish cleanup run renew; and __acme_preauth_once --hook-style' -l hook-style -x -a 'uacme certbot dehydrated lego' -d 'Calling convention of the hook: uacme, certbot, dehydrated or lego'
complete -c acme-preauth -n '__acme_preauth_is new publish cleanup run renew; and __acme_preauth_once --hook-cleanup' -l hook-cleanup -r -F -d 'With certbot style: program that cleans up after --hook'
complete -c acme-preauth -n '__acme_preauth_is new publish cleanup run renew' -l hook-env -x -d 'Environment variable that hooks get, besides those of acmetool-hooks(7) (repeatable)'
complete -c acme-preauth -n '__acme_preauth_is new publish cleanup run renew; and __acme_preauth_once --hook-timeout' -l hook-timeout -x -d 'Kill a hook that runs longer than this'
complete -c acme-preauth -n '__acme_preauth_is new publish cleanup run renew; and __acme_preauth_once --webroot' -l webroot -x -a '(__fish_complete_directories)' -d 'Solve http-01 with files under this folder'
complete -c acme-preauth -n '__acme_preauth_is new publish cleanup run renew; and __acme_preauth_once --standalone' -l standalone -x -a 'http tls-alpn' -d 'Solve http-01 (http) or tls-alpn-01 (tls-alpn) with a built-in listener'
complete -c acme-preauth -n '__acme_preauth_is new publish cleanup run renew; and __acme_preauth_once --standalone-listen' -l standalone-listen -x -d 'Address and port of that listener'
complete -c acme-preauth -n '__acme_preauth_is new publish cleanup run renew; and not __fish_contains_opt dns-account' -l dns-account -d 'Solve dns-account-01, whose record name belongs to this account alone, instead of dns-01'
complete -c acme-preauth -n '__acme_preauth_is new publish cleanup run renew; and not __fish_contains_opt dns-persist' -l dns-persist -d 'Solve dns-persist-01 with the record that acme-preauth persist-record prints'
complete -c acme-preauth -n '__acme_preauth_is new publish cleanup run renew; and not __fish_contains_opt manual' -l manual -d 'Print what to publish and wait for Enter'
complete -c acme-preauth -n '__acme_preauth_is new publish cleanup run renew; and __acme_preauth_once --resolver' -l resolver -x -d 'Find name servers with this resolver'
complete -c acme-preauth -n '__acme_preauth_is new publish cleanup run renew' -l name-server -x -d 'Check this server instead of the zone\'s servers (repeatable)'
complete -c acme-preauth -n '__acme_preauth_is new publish cleanup run renew; and not __fish_contains_opt no-dns-check' -l no-dns-check -d 'Do not check that the record is visible'
complete -c acme-preauth -n '__acme_preauth_is new publish cleanup run renew; and __acme_preauth_once --dns-wait' -l dns-wait -x -d 'Longest wait for the record to become visible'
complete -c acme-preauth -n '__acme_preauth_is new run renew; and not __fish_contains_opt subdomains' -l subdomains -d 'Also authorize all subdomains (RFC 9444)'
complete -c acme-preauth -n '__acme_preauth_is new run renew; and not __fish_contains_opt require-subdomains' -l require-subdomains -d 'Fail if the CA does not cover subdomains'
complete -c acme-preauth -n 'not __fish_contains_opt -s h help' -s h -l help -d 'Show this help; with --json as a document'
complete -c acme-preauth -n 'not __fish_contains_opt version' -l version -d 'Show the version'
complete -c acme-preauth -n '__acme_preauth_once --config' -l config -r -F -d 'Read options from this TOML file'
complete -c acme-preauth -n 'not __fish_contains_opt json' -l json -d 'Print the result as a JSON document'
complete -c acme-preauth -n '__acme_preauth_once -o --output' -s o -l output -r -F -d 'Write the result to this file, atomically'
complete -c acme-preauth -n 'not __fish_contains_opt -s q quiet' -s q -l quiet -d 'Only print errors'
complete -c acme-preauth -s v -l verbose -d 'Print each step; -vv also prints each request'
complete -c acme-preauth -n '__acme_preauth_once --log-format' -l log-format -x -a 'text json' -d 'Format of the log: text, or json for one document per line'
complete -c acme-preauth -n '__acme_preauth_is new publish respond cleanup run status deactivate persist-record caa-record dns-policy renew; and __acme_preauth_once --timeout' -l timeout -x -d 'Give up, or report "not yet", after this time'
complete -c acme-preauth -n '__acme_preauth_is new respond run status deactivate persist-record caa-record renew; and __acme_preauth_once --ca-file' -l ca-file -r -F -d 'Trust anchors (PEM) instead of the system\'s'
complete -c acme-preauth -n '__acme_preauth_is new publish respond cleanup run status deactivate persist-record caa-record dns-policy renew; and __acme_preauth_once --trace' -l trace -r -F -d 'Append every protocol message to this file (JSON Lines)'
complete -c acme-preauth -n '__acme_preauth_is new publish respond cleanup run status deactivate persist-record caa-record dns-policy renew; and __acme_preauth_once --show' -l show -x -a 'flow' -d 'flow: draw the messages on standard error'
complete -c acme-preauth -n '__acme_preauth_is status; and not __fish_contains_opt all' -l all -d 'All kept authorizations'
complete -c acme-preauth -n '__acme_preauth_is status list; and __acme_preauth_once --before' -l before -x -d 'As renew has it: a duration or a share of the lifetime'
complete -c acme-preauth -n '__acme_preauth_is persist-record caa-record; and __acme_preauth_once --issuer' -l issuer -x -d 'Domain name of the CA'
complete -c acme-preauth -n '__acme_preauth_is persist-record; and __acme_preauth_once --until' -l until -x -d 'End of the record\'s validity: RFC 3339 or a duration from now'
complete -c acme-preauth -n '__acme_preauth_is persist-record; and not __fish_contains_opt subdomains' -l subdomains -d 'Also cover wildcards and subdomains (policy=wildcard)'
complete -c acme-preauth -n '__acme_preauth_is caa-record' -l method -x -a 'dns-01 dns-account-01 dns-persist-01 http-01 tls-alpn-01' -d 'Validation method to allow (repeatable)'
complete -c acme-preauth -n '__acme_preauth_is caa-record; and not __fish_contains_opt wildcard' -l wildcard -d 'Also allow wildcards (issuewild)'
complete -c acme-preauth -n '__acme_preauth_is caa-record; and __acme_preauth_once --resolver' -l resolver -x -d 'Look up the published records with this resolver'
complete -c acme-preauth -n '__acme_preauth_is caa-record; and not __fish_contains_opt no-dns-check' -l no-dns-check -d 'Do not look up the published CAA records'
complete -c acme-preauth -n '__acme_preauth_is dns-policy; and __acme_preauth_once --server' -l server -x -a 'bind knot' -d 'Name server software: bind or knot'
complete -c acme-preauth -n '__acme_preauth_is dns-policy; and __acme_preauth_once --key-out' -l key-out -r -F -d 'File for the new key, in the form that --tsig-key reads'
complete -c acme-preauth -n '__acme_preauth_is dns-policy; and __acme_preauth_once --key-name' -l key-name -x -d 'Name of the key'
complete -c acme-preauth -n '__acme_preauth_is dns-policy; and __acme_preauth_once --zone' -l zone -x -d 'Zone of the domains'
complete -c acme-preauth -n '__acme_preauth_is dns-policy; and __acme_preauth_once --resolver' -l resolver -x -d 'Find the zone with this resolver'
complete -c acme-preauth -n '__acme_preauth_is renew; and __acme_preauth_once --before' -l before -x -d 'Renew this long before expiry: a duration or a share of the lifetime'
complete -c acme-preauth -n '__acme_preauth_is renew; and not __fish_contains_opt check' -l check -d 'Only report by exit status: 0 due, 1 nothing to do, 255 error'
complete -c acme-preauth -n '__acme_preauth_is renew; and not __fish_contains_opt detailed-exitcode' -l detailed-exitcode -d 'Exit with 2 if nothing was due'
complete -c acme-preauth -n '__acme_preauth_is renew; and __acme_preauth_once --jitter' -l jitter -x -d 'Wait up to this long, at random, before a request'
complete -c acme-preauth -n '__acme_preauth_is renew; and __acme_preauth_once --metrics-file' -l metrics-file -r -F -d 'Write metrics for node_exporter to this file'
