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
            case --config -o --output --log-format --trace --show --timeout --ca-file
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
complete -c est-relay -n 'not __est_relay_command >/dev/null; or __est_relay_is help' -a status -d 'say whether the running relay is well, and print its status'
complete -c est-relay -n 'not __est_relay_command >/dev/null; or __est_relay_is help' -a explain -d 'say why a device has no certificate, and what happens next'
complete -c est-relay -n 'not __est_relay_command >/dev/null; or __est_relay_is help' -a devices -d 'list devices by the state of their newest order or request'
complete -c est-relay -n 'not __est_relay_command >/dev/null; or __est_relay_is help' -a retry -d 'forget the failures of a device: its next request is a new try'
complete -c est-relay -n 'not __est_relay_command >/dev/null; or __est_relay_is help' -a forget -d 'forget the failed orders of a device, also what the CA has of them'
complete -c est-relay -n 'not __est_relay_command >/dev/null; or __est_relay_is help' -a events -d 'list what happened: decisions, refusals, orders, and what was dropped'
complete -c est-relay -n 'not __est_relay_command >/dev/null; or __est_relay_is help' -a forecast -d 'say what will happen: renewals by day, what ends, and when limits bind'
complete -c est-relay -n 'not __est_relay_command >/dev/null; or __est_relay_is help' -a revoke -d 'revoke certificates issued by this relay'
complete -c est-relay -n 'not __est_relay_command >/dev/null; or __est_relay_is help' -a block -d 'block devices: refuse their requests'
complete -c est-relay -n 'not __est_relay_command >/dev/null; or __est_relay_is help' -a unblock -d 'unblock devices'
complete -c est-relay -n 'not __est_relay_command >/dev/null; or __est_relay_is help' -a blocks -d 'list the blocked devices'
complete -c est-relay -n 'not __est_relay_command >/dev/null; or __est_relay_is help' -a inventory -d 'change or show the inventory in the store: import FILE, add LINE, remove DEVICE, list, count'
complete -c est-relay -n 'not __est_relay_command >/dev/null' -a help -d 'show the commands, or the options of one'
complete -c est-relay -n 'not __fish_contains_opt -s h help' -s h -l help -d 'Show this help; with --json as a document'
complete -c est-relay -n 'not __fish_contains_opt version' -l version -d 'Show the version'
complete -c est-relay -n '__est_relay_once --config' -l config -r -F -d 'Configuration of the relay'
complete -c est-relay -n 'not __fish_contains_opt json' -l json -d 'Print the result as a JSON document'
complete -c est-relay -n '__est_relay_once -o --output' -s o -l output -r -F -d 'Write the result to this file, atomically'
complete -c est-relay -n 'not __fish_contains_opt -s q quiet' -s q -l quiet -d 'Only print errors'
complete -c est-relay -s v -l verbose -d 'Print each step; -vv also prints each request'
complete -c est-relay -n '__est_relay_once --log-format' -l log-format -x -a 'text json' -d 'Format of the log: text, or json for one document per line'
complete -c est-relay -n '__est_relay_is serve check revoke; and __est_relay_once --trace' -l trace -r -F -d 'Append every protocol message to this file (JSON Lines)'
complete -c est-relay -n '__est_relay_is serve check revoke; and __est_relay_once --show' -l show -x -a 'flow' -d 'flow: draw the messages on standard error'
complete -c est-relay -n '__est_relay_is check; and not __fish_contains_opt online' -l online -d 'Also query the ACME server and the name servers'
complete -c est-relay -n '__est_relay_is check; and not __fish_contains_opt explain' -l explain -d 'Print every key of the configuration file'
complete -c est-relay -n '__est_relay_is check status revoke; and __est_relay_once --timeout' -l timeout -x -d 'Give up, or report "not yet", after this time'
complete -c est-relay -n '__est_relay_is store; and __est_relay_once --from' -l from -r -F -d 'With copy: the SQLite database of a relay that does not run'
complete -c est-relay -n '__est_relay_is devices; and __est_relay_once --state' -l state -x -a 'pending failed issued expiring refused unseen' -d 'Only these, separated by commas: pending, failed, issued, expiring, refused, unseen'
complete -c est-relay -n '__est_relay_is devices; and __est_relay_once --since' -l since -x -d 'Only what changed in this time'
complete -c est-relay -n '__est_relay_is devices; and __est_relay_once --limit' -l limit -x -d 'Longest list, 1000 at most'
complete -c est-relay -n '__est_relay_is devices; and __est_relay_once --after' -l after -x -d 'Go on behind a list that was cut, which ends with this PLACE'
complete -c est-relay -n '__est_relay_is events; and __est_relay_once --device' -l device -x -d 'Only of this device, named as for explain, with what the CA said to its requests'
complete -c est-relay -n '__est_relay_is events; and __est_relay_once --request' -l request -x -d 'Only of the request with this id'
complete -c est-relay -n '__est_relay_is events; and __est_relay_once --since' -l since -x -d 'Only from this time on: 1d, or 2026-12-01T03:12:00Z'
complete -c est-relay -n '__est_relay_is events; and __est_relay_once --until' -l until -x -d 'Only before this time'
complete -c est-relay -n '__est_relay_is events; and __est_relay_once --level' -l level -x -a 'info warning error' -d 'The least severe: info, warning, error'
complete -c est-relay -n '__est_relay_is events; and __est_relay_once --limit' -l limit -x -d 'The newest ones, so many, 10000 at most'
complete -c est-relay -n '__est_relay_is events; and not __fish_contains_opt follow' -l follow -d 'Then print what comes, until a signal'
complete -c est-relay -n '__est_relay_is forecast; and __est_relay_once --days' -l days -x -d 'Look so many days ahead, 400 at most'
complete -c est-relay -n '__est_relay_is revoke; and not __fish_contains_opt at-ca' -l at-ca -d 'Have the CA revoke them, too, with the account in [acme]'
complete -c est-relay -n '__est_relay_is revoke; and __est_relay_once --reason' -l reason -x -a 'unspecified keyCompromise cACompromise affiliationChanged superseded cessationOfOperation certificateHold removeFromCRL privilegeWithdrawn aACompromise' -d 'Name or number of RFC 5280, for the CA'
complete -c est-relay -n '__est_relay_is revoke; and __est_relay_once --ca-file' -l ca-file -r -F -d 'Trust anchors (PEM) instead of the system\'s'
complete -c est-relay -n '__est_relay_is inventory; and not __fish_contains_opt force' -l force -d 'With import: also if most devices would be dropped, or the file may be cut'
