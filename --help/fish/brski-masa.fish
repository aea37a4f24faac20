# fish completion for brski-masa, made by completions/generate
complete -c brski-masa -f
function __brski_masa_once --description 'None of these was given, or only its value is missing'
    set -l words (commandline -opc)
    contains -- $words[-1] $argv; and return 0
    for word in $argv
        string match -q -- $word $words; and return 1
        string match -q -- "$word=*" $words; and return 1
    end
    return 0
end
function __brski_masa_command --description 'The command on the line, which common options may precede'
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
function __brski_masa_is --description 'Whether the command is one of these'
    contains -- (__brski_masa_command; or echo none) $argv
end
complete -c brski-masa -n 'not __brski_masa_command >/dev/null; or __brski_masa_is help' -a serve -d 'answer voucher-requests until SIGTERM'
complete -c brski-masa -n 'not __brski_masa_command >/dev/null; or __brski_masa_is help' -a sign -d 'read a voucher-request, write a voucher'
complete -c brski-masa -n 'not __brski_masa_command >/dev/null; or __brski_masa_is help' -a log -d 'print the audit log of a device'
complete -c brski-masa -n 'not __brski_masa_command >/dev/null; or __brski_masa_is help' -a make-idevid -d 'create a device: write its IDevID, and its key to a file'
complete -c brski-masa -n 'not __brski_masa_command >/dev/null' -a help -d 'show the commands, or the options of one'
complete -c brski-masa -n '__brski_masa_is serve sign; and __brski_masa_once --dir' -l dir -x -a '(__fish_complete_directories)' -d 'Folder for keys, certificates and audit log; created if missing'
complete -c brski-masa -n '__brski_masa_is serve sign; and __brski_masa_once --owners' -l owners -r -F -d 'CSV file that assigns devices to owners, given by SHA-256 or certificate file'
complete -c brski-masa -n '__brski_masa_is serve sign; and not __fish_contains_opt owners-only' -l owners-only -d 'Issue vouchers only for devices listed in --owners'
complete -c brski-masa -n '__brski_masa_is serve sign; and __brski_masa_once --registrar-trust' -l registrar-trust -r -F -d 'Trust anchors (PEM) for registrar certificates'
complete -c brski-masa -n '__brski_masa_is serve sign; and not __fish_contains_opt nonceless' -l nonceless -d 'Issue nonceless vouchers to registrars trusted by --registrar-trust'
complete -c brski-masa -n '__brski_masa_is serve sign' -l serial-from -x -d 'Field of the IDevID with the serial number, such as commonName (repeatable; the first one present is used)'
complete -c brski-masa -n '__brski_masa_is serve sign; and __brski_masa_once --pin' -l pin -x -a 'domain registrar' -d 'Certificate pinned by vouchers: domain (topmost certificate sent) or registrar'
complete -c brski-masa -n '__brski_masa_is serve; and __brski_masa_once --listen' -l listen -x -d 'Address and port; port 0 selects a free port'
complete -c brski-masa -n '__brski_masa_is serve' -l name -x -d 'Additional name or address in the TLS certificate (repeatable)'
complete -c brski-masa -n '__brski_masa_is serve; and __brski_masa_once --cloud' -l cloud -r -F -d 'Act as cloud registrar for the devices in this CSV file'
complete -c brski-masa -n '__brski_masa_is serve; and __brski_masa_once --credentials' -l credentials -r -F -d 'File with user:password for HTTP Basic authentication of registrars'
complete -c brski-masa -n '__brski_masa_is serve; and __brski_masa_once --retry-after' -l retry-after -x -d 'Retry-After for devices without a known owner at a cloud registrar; 0s: refuse them'
complete -c brski-masa -n '__brski_masa_is serve; and __brski_masa_once --delay' -l delay -x -d 'Delay each answer by this time'
complete -c brski-masa -n 'not __fish_contains_opt -s h help' -s h -l help -d 'Show this help; with --json as a document'
complete -c brski-masa -n 'not __fish_contains_opt version' -l version -d 'Show the version'
complete -c brski-masa -n '__brski_masa_once --config' -l config -r -F -d 'Read options from this TOML file'
complete -c brski-masa -n 'not __fish_contains_opt json' -l json -d 'Print the result as a JSON document'
complete -c brski-masa -n '__brski_masa_once -o --output' -s o -l output -r -F -d 'Write the result to this file, atomically'
complete -c brski-masa -n 'not __fish_contains_opt -s q quiet' -s q -l quiet -d 'Only print errors'
complete -c brski-masa -s v -l verbose -d 'Print each step; -vv also prints each request'
complete -c brski-masa -n '__brski_masa_once --log-format' -l log-format -x -a 'text json' -d 'Format of the log: text, or json for one document per line'
complete -c brski-masa -n '__brski_masa_is sign; and __brski_masa_once --format' -l format -x -a 'same cms jws' -d 'Format of the voucher: same, cms or jws'
complete -c brski-masa -n '__brski_masa_is log; and __brski_masa_once --dir' -l dir -x -a '(__fish_complete_directories)' -d 'Folder of the MASA'
complete -c brski-masa -n '__brski_masa_is log make-idevid; and __brski_masa_once --serial' -l serial -x -d 'Serial number of the device'
complete -c brski-masa -n '__brski_masa_is make-idevid; and __brski_masa_once --dir' -l dir -x -a '(__fish_complete_directories)' -d 'Folder of the manufacturer; created if missing'
complete -c brski-masa -n '__brski_masa_is make-idevid; and __brski_masa_once --masa-url' -l masa-url -x -d 'MASA URL in its certificate: HOST[:PORT] or a URL'
complete -c brski-masa -n '__brski_masa_is make-idevid; and __brski_masa_once --key-out' -l key-out -r -F -d 'File for the device\'s private key, mode 0600'
