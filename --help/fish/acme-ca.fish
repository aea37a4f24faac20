# fish completion for acme-ca, made by completions/generate
complete -c acme-ca -f
function __acme_ca_once --description 'None of these was given, or only its value is missing'
    set -l words (commandline -opc)
    contains -- $words[-1] $argv; and return 0
    for word in $argv
        string match -q -- $word $words; and return 1
        string match -q -- "$word=*" $words; and return 1
    end
    return 0
end
function __acme_ca_command --description 'The command on the line, which common options may precede'
    set -l skip 0
    for word in (commandline -opc)[2..]
        if test $skip = 1
            set skip 0
            continue
        end
        switch $word
            case --config -o --output --log-format
                set skip 1
            case '-*'
            case '*'
                echo $word
                return 0
        end
    end
    return 1
end
function __acme_ca_is --description 'Whether the command is one of these'
    contains -- (__acme_ca_command; or echo none) $argv
end
complete -c acme-ca -n 'not __acme_ca_command >/dev/null; or __acme_ca_is help' -a serve -d 'answer ACME requests until SIGTERM'
complete -c acme-ca -n 'not __acme_ca_command >/dev/null; or __acme_ca_is help' -a init -d 'create keys and certificates; write the root certificate'
complete -c acme-ca -n 'not __acme_ca_command >/dev/null; or __acme_ca_is help' -a eab -d 'create and print a key for external account binding'
complete -c acme-ca -n 'not __acme_ca_command >/dev/null; or __acme_ca_is help' -a list -d 'list issued certificates'
complete -c acme-ca -n 'not __acme_ca_command >/dev/null' -a help -d 'show the commands, or the options of one'
complete -c acme-ca -n '__acme_ca_is serve; and __acme_ca_once --dir' -l dir -x -a '(__fish_complete_directories)' -d 'Folder for keys, certificates and database; created if missing'
complete -c acme-ca -n '__acme_ca_is serve; and __acme_ca_once --listen' -l listen -x -d 'Address and port; port 0 selects a free port'
complete -c acme-ca -n '__acme_ca_is serve init' -l name -x -d 'Additional name or address in the TLS certificate (repeatable)'
complete -c acme-ca -n '__acme_ca_is serve; and __acme_ca_once --dns-server' -l dns-server -x -d 'DNS resolver for validations'
complete -c acme-ca -n '__acme_ca_is serve; and __acme_ca_once --http-port' -l http-port -x -d 'Port to which http-01 validations connect'
complete -c acme-ca -n '__acme_ca_is serve; and __acme_ca_once --tls-port' -l tls-port -x -d 'Port to which tls-alpn-01 validations connect'
complete -c acme-ca -n '__acme_ca_is serve; and not __fish_contains_opt allow-loopback' -l allow-loopback -d 'Allow http-01 and tls-alpn-01 validation of this host'
complete -c acme-ca -n '__acme_ca_is serve' -l issuer-domain -x -d 'Name of the CA in CAA and dns-persist-01 records (repeatable)'
complete -c acme-ca -n '__acme_ca_is serve; and not __fish_contains_opt caa' -l caa -d 'Obey CAA records at issuance (RFC 8659, RFC 8657)'
complete -c acme-ca -n '__acme_ca_is serve; and not __fish_contains_opt dns-account' -l dns-account -d 'Offer dns-account-01'
complete -c acme-ca -n '__acme_ca_is serve; and __acme_ca_once --dns-persist' -l dns-persist -x -a 'off url hash both' -d 'Offer dns-persist-01 with the account\'s URL, a hash of it, or both: off, url, hash or both'
complete -c acme-ca -n '__acme_ca_is serve; and __acme_ca_once --subdomains' -l subdomains -x -a 'on off ancestor-only' -d 'Subdomain authorization (RFC 9444): on, off or ancestor-only'
complete -c acme-ca -n '__acme_ca_is serve; and __acme_ca_once --newauthz' -l newauthz -x -a 'on off' -d 'Pre-authorization: on or off'
complete -c acme-ca -n '__acme_ca_is serve; and __acme_ca_once --terms-of-service' -l terms-of-service -x -d 'Terms of service to which clients must agree'
complete -c acme-ca -n '__acme_ca_is serve; and __acme_ca_once --authz-lifetime' -l authz-lifetime -x -d 'Lifetime of valid authorizations'
complete -c acme-ca -n '__acme_ca_is serve; and __acme_ca_once --order-lifetime' -l order-lifetime -x -d 'Lifetime of orders'
complete -c acme-ca -n '__acme_ca_is serve; and __acme_ca_once --cert-lifetime' -l cert-lifetime -x -d 'Lifetime of certificates'
complete -c acme-ca -n '__acme_ca_is serve' -l profile -x -d 'Profile, NAME=LIFETIME[:PURPOSE+PURPOSE]; the first is the default (repeatable)'
complete -c acme-ca -n '__acme_ca_is serve; and __acme_ca_once --eab' -l eab -x -a 'off optional required' -d 'External account binding: off, optional or required'
complete -c acme-ca -n '__acme_ca_is serve eab; and __acme_ca_once --eab-keys' -l eab-keys -r -F -d 'Binding keys'
complete -c acme-ca -n '__acme_ca_is serve; and __acme_ca_once --renewal-info' -l renewal-info -x -a 'on off' -d 'Renewal information (RFC 9773): on or off'
complete -c acme-ca -n '__acme_ca_is serve; and __acme_ca_once --rate-limit' -l rate-limit -x -d 'Orders allowed per account, such as 5/1h'
complete -c acme-ca -n '__acme_ca_is serve; and __acme_ca_once --request-log' -l request-log -r -F -d 'Append one JSON document per request to this file'
complete -c acme-ca -n '__acme_ca_is serve' -l fault -x -d 'Inject a fault (repeatable)'
complete -c acme-ca -n '__acme_ca_is serve; and __acme_ca_once --admin' -l admin -x -d 'Listener for changing faults at run time'
complete -c acme-ca -n 'not __fish_contains_opt -s h help' -s h -l help -d 'Show this help; with --json as a document'
complete -c acme-ca -n 'not __fish_contains_opt version' -l version -d 'Show the version'
complete -c acme-ca -n '__acme_ca_once --config' -l config -r -F -d 'Read options from this TOML file'
complete -c acme-ca -n 'not __fish_contains_opt json' -l json -d 'Print the result as a JSON document'
complete -c acme-ca -n '__acme_ca_once -o --output' -s o -l output -r -F -d 'Write the result to this file, atomically'
complete -c acme-ca -n 'not __fish_contains_opt -s q quiet' -s q -l quiet -d 'Only print errors'
complete -c acme-ca -s v -l verbose -d 'Print each step; -vv also prints each request'
complete -c acme-ca -n '__acme_ca_once --log-format' -l log-format -x -a 'text json' -d 'Format of the log: text, or json for one document per line'
complete -c acme-ca -n '__acme_ca_is init; and __acme_ca_once --dir' -l dir -x -a '(__fish_complete_directories)' -d 'Folder to create'
complete -c acme-ca -n '__acme_ca_is eab list; and __acme_ca_once --dir' -l dir -x -a '(__fish_complete_directories)' -d 'Folder of the CA'
complete -c acme-ca -n '__acme_ca_is eab; and __acme_ca_once --kid' -l kid -x -d 'Key identifier; random if absent'
