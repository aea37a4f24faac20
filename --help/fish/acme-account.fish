# fish completion for acme-account, made by completions/generate
complete -c acme-account -f
function __acme_account_once --description 'None of these was given, or only its value is missing'
    set -l words (commandline -opc)
    contains -- $words[-1] $argv; and return 0
    for word in $argv
        string match -q -- $word $words; and return 1
        string match -q -- "$word=*" $words; and return 1
    end
    return 0
end
function __acme_account_command --description 'The command on the line, which common options may precede'
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
function __acme_account_is --description 'Whether the command is one of these'
    contains -- (__acme_account_command; or echo none) $argv
end
complete -c acme-account -n 'not __acme_account_command >/dev/null; or __acme_account_is help' -a register -d 'create an account, or find the key\'s existing account'
complete -c acme-account -n 'not __acme_account_command >/dev/null; or __acme_account_is help' -a show -d 'print the account as the CA has it'
complete -c acme-account -n 'not __acme_account_command >/dev/null; or __acme_account_is help' -a update -d 'replace the contact URLs'
complete -c acme-account -n 'not __acme_account_command >/dev/null; or __acme_account_is help' -a rollover -d 'replace the account\'s key'
complete -c acme-account -n 'not __acme_account_command >/dev/null; or __acme_account_is help' -a deactivate -d 'deactivate the account permanently'
complete -c acme-account -n 'not __acme_account_command >/dev/null' -a help -d 'show the commands, or the options of one'
complete -c acme-account -n '__acme_account_is register show update rollover deactivate; and __acme_account_once --account' -l account -r -F -d 'Account file, created by acme-account register'
complete -c acme-account -n '__acme_account_is register show update rollover deactivate; and __acme_account_once --state' -l state -x -a '(__fish_complete_directories)' -d 'State directory'
complete -c acme-account -n '__acme_account_is register show update rollover deactivate; and __acme_account_once --account-passphrase-file' -l account-passphrase-file -r -F -d 'Passphrase of the account\'s key'
complete -c acme-account -n '__acme_account_is register; and __acme_account_once --directory' -l directory -x -d 'ACME directory of the CA'
complete -c acme-account -n '__acme_account_is register' -l contact -x -d 'Contact URL, such as mailto:ops@example.com (repeatable)'
complete -c acme-account -n '__acme_account_is register; and not __fish_contains_opt agree-tos' -l agree-tos -d 'Agree to the CA\'s terms of service'
complete -c acme-account -n '__acme_account_is register; and not __fish_contains_opt only-existing' -l only-existing -d 'Only find the key\'s account; do not create one'
complete -c acme-account -n '__acme_account_is register rollover; and __acme_account_once --key-type' -l key-type -x -a 'ec:P-256 ec:P-384 ec:P-521 rsa:2048 rsa:3072 rsa:4096 ed25519' -d 'Type of the new key'
complete -c acme-account -n '__acme_account_is register; and __acme_account_once --key' -l key -r -F -d 'Private key (file or URI) to use instead of a new one'
complete -c acme-account -n '__acme_account_is register; and __acme_account_once --eab-kid' -l eab-kid -x -d 'Key identifier of an existing non-ACME account at the CA'
complete -c acme-account -n '__acme_account_is register; and __acme_account_once --eab-key-file' -l eab-key-file -r -F -d 'MAC key of that account (base64url)'
complete -c acme-account -n 'not __fish_contains_opt -s h help' -s h -l help -d 'Show this help; with --json as a document'
complete -c acme-account -n 'not __fish_contains_opt version' -l version -d 'Show the version'
complete -c acme-account -n '__acme_account_once --config' -l config -r -F -d 'Read options from this TOML file'
complete -c acme-account -n 'not __fish_contains_opt json' -l json -d 'Print the result as a JSON document'
complete -c acme-account -n '__acme_account_once -o --output' -s o -l output -r -F -d 'Write the result to this file, atomically'
complete -c acme-account -n 'not __fish_contains_opt -s q quiet' -s q -l quiet -d 'Only print errors'
complete -c acme-account -s v -l verbose -d 'Print each step; -vv also prints each request'
complete -c acme-account -n '__acme_account_once --log-format' -l log-format -x -a 'text json' -d 'Format of the log: text, or json for one document per line'
complete -c acme-account -n '__acme_account_once --timeout' -l timeout -x -d 'Give up, or report "not yet", after this time'
complete -c acme-account -n '__acme_account_once --ca-file' -l ca-file -r -F -d 'Trust anchors (PEM) instead of the system\'s'
complete -c acme-account -n '__acme_account_once --trace' -l trace -r -F -d 'Append every protocol message to this file (JSON Lines)'
complete -c acme-account -n '__acme_account_once --show' -l show -x -a 'flow' -d 'flow: draw the messages on standard error'
complete -c acme-account -n '__acme_account_is update' -l contact -x -d 'New contact URL (repeatable); if absent, remove all contacts'
