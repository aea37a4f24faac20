# fish completion for est-relay, made by completions/generate
complete -c est-relay -f
function __est_relay_once --description 'None of these was given, or only its value is missing'
    set -l words (commandline -opc)
    contains -- $words[-1] $argv; and return 0
    for word in $argv
        string match -q -- $word $words; and return 1
        string match -q -- "$word=*" $words; and return 1
    end
    return 0
end
function __est_relay_command --description 'The command on the line, which common options may precede'
    set -l skip 0
    for word in (commandline -opc)[2..]
        if test $skip = 1
            set skip 0
            continue
        end
        switch $word
            case --config -o --output --log-format --trace --show --timeout
                set skip 1
            case '-*'
            case '*'
                echo $word
                return 0
        end
    end
    return 1
end
function __est_relay_is --description 'Whether the command is one of these'
    contains -- (__est_relay_command; or echo none) $argv
end
complete -c est-relay -n 'not __est_relay_command >/dev/null; or __est_relay_is help' -a serve -d 'answer EST requests until SIGTERM; SIGHUP reloads'
complete -c est-relay -n 'not __est_relay_command >/dev/null; or __est_relay_is help' -a check -d 'check the configuration and every file that it names'
complete -c est-relay -n 'not __est_relay_command >/dev/null; or __est_relay_is help' -a store -d 'create, upgrade or show the database: init, upgrade, status, copy, grants ROLE'
complete -c est-relay -n 'not __est_relay_command >/dev/null; or __est_relay_is help' -a status -d 'print the status of the running relay'
complete -c est-relay -n 'not __est_relay_command >/dev/null; or __est_relay_is help' -a explain -d 'say why a device has no certificate, and what happens next'
complete -c est-relay -n 'not __est_relay_command >/dev/null; or __est_relay_is help' -a devices -d 'list devices by the state of their newest order'
complete -c est-relay -n 'not __est_relay_command >/dev/null; or __est_relay_is help' -a retry -d 'forget the failures of a device: its next request is a new try'
complete -c est-relay -n 'not __est_relay_command >/dev/null; or __est_relay_is help' -a revoke -d 'revoke certificates issued by this relay'
complete -c est-relay -n 'not __est_relay_command >/dev/null; or __est_relay_is help' -a block -d 'block devices: refuse their requests'
complete -c est-relay -n 'not __est_relay_command >/dev/null; or __est_relay_is help' -a unblock -d 'unblock devices'
complete -c est-relay -n 'not __est_relay_command >/dev/null' -a help -d 'show the commands, or the options of one'
complete -c est-relay -n 'not __fish_contains_opt -s h help' -s h -l help -d 'Show this help; with --json as a document'
complete -c est-relay -n 'not __fish_contains_opt version' -l version -d 'Show the version'
complete -c est-relay -n '__est_relay_once --config' -l config -r -F -d 'Configuration of the relay'
complete -c est-relay -n 'not __fish_contains_opt json' -l json -d 'Print the result as a JSON document'
complete -c est-relay -n '__est_relay_once -o --output' -s o -l output -r -F -d 'Write the result to this file, atomically'
complete -c est-relay -n 'not __fish_contains_opt -s q quiet' -s q -l quiet -d 'Only print errors'
complete -c est-relay -s v -l verbose -d 'Print each step; -vv also prints each request'
complete -c est-relay -n '__est_relay_once --log-format' -l log-format -x -a 'text json' -d 'Format of the log: text, or json for one document per line'
complete -c est-relay -n '__est_relay_is serve check; and __est_relay_once --trace' -l trace -r -F -d 'Append every protocol message to this file (JSON Lines)'
complete -c est-relay -n '__est_relay_is serve check; and __est_relay_once --show' -l show -x -a 'flow' -d 'flow: draw the messages on standard error'
complete -c est-relay -n '__est_relay_is check; and not __fish_contains_opt online' -l online -d 'Also query the ACME server and the name servers'
complete -c est-relay -n '__est_relay_is check; and not __fish_contains_opt explain' -l explain -d 'Print every key of the configuration file'
complete -c est-relay -n '__est_relay_is check status; and __est_relay_once --timeout' -l timeout -x -d 'Give up, or report "not yet", after this time'
complete -c est-relay -n '__est_relay_is store; and __est_relay_once --from' -l from -r -F -d 'With copy: the SQLite database of a relay that does not run'
complete -c est-relay -n '__est_relay_is devices; and __est_relay_once --state' -l state -x -a 'pending failed issued expiring' -d 'Only these, separated by commas: pending, failed, issued, expiring'
complete -c est-relay -n '__est_relay_is devices; and __est_relay_once --since' -l since -x -d 'Only what changed in this time'
complete -c est-relay -n '__est_relay_is devices; and __est_relay_once --limit' -l limit -x -d 'Longest list, 1000 at most'
