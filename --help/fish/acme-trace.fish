# fish completion for acme-trace, made by completions/generate
complete -c acme-trace -f
function __acme_trace_once --description 'None of these was given, or only its value is missing'
    set -l words (commandline -opc)
    contains -- $words[-1] $argv; and return 0
    for word in $argv
        string match -q -- $word $words; and return 1
        string match -q -- "$word=*" $words; and return 1
    end
    return 0
end
function __acme_trace_command --description 'The command on the line, which common options may precede'
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
function __acme_trace_is --description 'Whether the command is one of these'
    contains -- (__acme_trace_command; or echo none) $argv
end
complete -c acme-trace -n 'not __acme_trace_command >/dev/null; or __acme_trace_is help' -a show -d 'draw the ladder as text'
complete -c acme-trace -n 'not __acme_trace_command >/dev/null; or __acme_trace_is help' -a svg -d 'draw the ladder as an SVG image'
complete -c acme-trace -n 'not __acme_trace_command >/dev/null' -a help -d 'show the commands, or the options of one'
complete -c acme-trace -n '__acme_trace_is show svg; and __acme_trace_once --since' -l since -x -d 'Omit messages before this time, or before this duration ago'
complete -c acme-trace -n '__acme_trace_is show svg; and __acme_trace_once --until' -l until -x -d 'Omit messages after this time, or after this duration ago'
complete -c acme-trace -n '__acme_trace_is show svg; and __acme_trace_once --request-id' -l request-id -x -d 'Only messages of the device that made this request, in a relay\'s trace'
complete -c acme-trace -n 'not __fish_contains_opt -s h help' -s h -l help -d 'Show this help; with --json as a document'
complete -c acme-trace -n 'not __fish_contains_opt version' -l version -d 'Show the version'
complete -c acme-trace -n '__acme_trace_once --config' -l config -r -F -d 'Read options from this TOML file'
complete -c acme-trace -n 'not __fish_contains_opt json' -l json -d 'Print the result as a JSON document'
complete -c acme-trace -n '__acme_trace_once -o --output' -s o -l output -r -F -d 'Write the result to this file, atomically'
complete -c acme-trace -n 'not __fish_contains_opt -s q quiet' -s q -l quiet -d 'Only print errors'
complete -c acme-trace -s v -l verbose -d 'Print each step; -vv also prints each request'
complete -c acme-trace -n '__acme_trace_once --log-format' -l log-format -x -a 'text json' -d 'Format of the log: text, or json for one document per line'
complete -c acme-trace -n '__acme_trace_is show' -F
complete -c acme-trace -n '__acme_trace_is svg' -F
