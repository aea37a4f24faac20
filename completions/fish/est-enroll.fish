# fish completion for est-enroll, made by completions/generate
complete -c est-enroll -f
function __est_enroll_once --description 'None of these was given, or only its value is missing'
    set -l words (commandline -opc)
    contains -- $words[-1] $argv; and return 0
    for word in $argv
        string match -q -- $word $words; and return 1
        string match -q -- "$word=*" $words; and return 1
    end
    return 0
end
function __est_enroll_command --description 'The command on the line, which common options may precede'
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
function __est_enroll_is --description 'Whether the command is one of these'
    contains -- (__est_enroll_command; or echo none) $argv
end
complete -c est-enroll -n 'not __est_enroll_command >/dev/null; or __est_enroll_is help' -a cacerts -d 'get /cacerts, write the CA certificates'
complete -c est-enroll -n 'not __est_enroll_command >/dev/null; or __est_enroll_is help' -a csrattrs -d 'get /csrattrs, write the CSR attributes in DER'
complete -c est-enroll -n 'not __est_enroll_command >/dev/null; or __est_enroll_is help' -a simpleenroll -d 'read a CSR, enrol, write the certificate'
complete -c est-enroll -n 'not __est_enroll_command >/dev/null; or __est_enroll_is help' -a simplereenroll -d 'read a CSR, renew the certificate of --cert'
complete -c est-enroll -n 'not __est_enroll_command >/dev/null; or __est_enroll_is help' -a run -d 'do all steps: cacerts, csrattrs, new key, CSR, simpleenroll'
complete -c est-enroll -n 'not __est_enroll_command >/dev/null; or __est_enroll_is help' -a renew -d 'renew the certificate of --cert if it expires soon; for cron'
complete -c est-enroll -n 'not __est_enroll_command >/dev/null; or __est_enroll_is help' -a list -d 'list certificates that renew keeps alive, and their next renewals'
complete -c est-enroll -n 'not __est_enroll_command >/dev/null; or __est_enroll_is help' -a status -d 'say what is wrong with certificates and what happens next'
complete -c est-enroll -n 'not __est_enroll_command >/dev/null' -a help -d 'show the commands, or the options of one'
complete -c est-enroll -n '__est_enroll_is cacerts csrattrs simpleenroll simplereenroll run renew; and __est_enroll_once --server' -l server -x -d 'EST server: https://HOST[:PORT]'
complete -c est-enroll -n '__est_enroll_is cacerts csrattrs simpleenroll simplereenroll run renew; and __est_enroll_once --label' -l label -x -d 'Label that selects one of the server\'s CAs'
complete -c est-enroll -n '__est_enroll_is cacerts csrattrs simpleenroll simplereenroll run renew; and __est_enroll_once --explicit-ta' -l explicit-ta -r -F -d 'Trust anchors (PEM) for the server, whose certificate must have its name or id-kp-cmcRA'
complete -c est-enroll -n '__est_enroll_is cacerts csrattrs simpleenroll simplereenroll run renew; and not __fish_contains_opt implicit-ta' -l implicit-ta -d 'With --explicit-ta: also accept the trust anchors of the system or of --ca-file'
complete -c est-enroll -n '__est_enroll_is cacerts csrattrs simpleenroll simplereenroll run renew; and __est_enroll_once --fingerprint' -l fingerprint -x -d 'Bootstrap: hash of the CA certificate, sha256:HEX or sha512:HEX'
complete -c est-enroll -n '__est_enroll_is cacerts csrattrs simpleenroll simplereenroll run renew; and __est_enroll_once --cert' -l cert -r -F -d 'Client certificate for TLS followed by its chain, PEM'
complete -c est-enroll -n '__est_enroll_is cacerts csrattrs simpleenroll simplereenroll run renew; and __est_enroll_once --key' -l key -r -F -d 'Private key of --cert (file or URI)'
complete -c est-enroll -n '__est_enroll_is cacerts csrattrs simpleenroll simplereenroll run renew list status; and __est_enroll_once --key-passphrase-file' -l key-passphrase-file -r -F -d 'Passphrase of --key'
complete -c est-enroll -n '__est_enroll_is cacerts csrattrs simpleenroll simplereenroll run renew; and __est_enroll_once --user' -l user -x -d 'User name for HTTP authentication'
complete -c est-enroll -n '__est_enroll_is cacerts csrattrs simpleenroll simplereenroll run renew; and __est_enroll_once --password-file' -l password-file -r -F -d 'Password of --user'
complete -c est-enroll -n '__est_enroll_is cacerts csrattrs simpleenroll simplereenroll run renew; and __est_enroll_once --auth' -l auth -x -a 'basic digest any' -d 'Allowed HTTP authentication: basic, digest or any'
complete -c est-enroll -n '__est_enroll_is cacerts csrattrs simpleenroll simplereenroll run renew; and __est_enroll_once --tls-max' -l tls-max -x -a '1.2 1.3' -d 'Highest TLS version: 1.3, or 1.2 for servers that require tls-unique'
complete -c est-enroll -n '__est_enroll_is cacerts csrattrs simpleenroll simplereenroll run renew; and not __fish_contains_opt allow-redirect' -l allow-redirect -d 'Follow redirects of a POST to another server'
complete -c est-enroll -n '__est_enroll_is cacerts csrattrs simpleenroll simplereenroll run; and not __fish_contains_opt no-clock' -l no-clock -d 'Ignore dates, for a device without a clock'
complete -c est-enroll -n '__est_enroll_is cacerts simpleenroll simplereenroll run renew; and __est_enroll_once --format' -l format -x -a 'pem der pkcs7' -d 'Output format: pem, der (without the chain) or pkcs7'
complete -c est-enroll -n 'not __fish_contains_opt -s h help' -s h -l help -d 'Show this help; with --json as a document'
complete -c est-enroll -n 'not __fish_contains_opt version' -l version -d 'Show the version'
complete -c est-enroll -n '__est_enroll_once --config' -l config -r -F -d 'Read options from this TOML file'
complete -c est-enroll -n 'not __fish_contains_opt json' -l json -d 'Print the result as a JSON document'
complete -c est-enroll -n '__est_enroll_once -o --output' -s o -l output -r -F -d 'Write the result to this file, atomically'
complete -c est-enroll -n 'not __fish_contains_opt -s q quiet' -s q -l quiet -d 'Only print errors'
complete -c est-enroll -s v -l verbose -d 'Print each step; -vv also prints each request'
complete -c est-enroll -n '__est_enroll_once --log-format' -l log-format -x -a 'text json' -d 'Format of the log: text, or json for one document per line'
complete -c est-enroll -n '__est_enroll_is cacerts csrattrs simpleenroll simplereenroll run renew; and __est_enroll_once --timeout' -l timeout -x -d 'Give up, or report "not yet", after this time'
complete -c est-enroll -n '__est_enroll_is cacerts csrattrs simpleenroll simplereenroll run renew; and __est_enroll_once --ca-file' -l ca-file -r -F -d 'Trust anchors (PEM) instead of the system\'s'
complete -c est-enroll -n '__est_enroll_is cacerts csrattrs simpleenroll simplereenroll run renew; and __est_enroll_once --trace' -l trace -r -F -d 'Append every protocol message to this file (JSON Lines)'
complete -c est-enroll -n '__est_enroll_is cacerts csrattrs simpleenroll simplereenroll run renew; and __est_enroll_once --show' -l show -x -a 'flow' -d 'flow: draw the messages on standard error'
complete -c est-enroll -n '__est_enroll_is csrattrs simpleenroll simplereenroll run renew; and __est_enroll_once --retry-after' -l retry-after -x -d 'Time to wait if the server answers "not yet" without Retry-After'
complete -c est-enroll -n '__est_enroll_is csrattrs simpleenroll simplereenroll; and not __fish_contains_opt wait' -l wait -d 'Wait while the server answers "not yet"'
complete -c est-enroll -n '__est_enroll_is simpleenroll simplereenroll; and not __fish_contains_opt pop' -l pop -d 'Sign the request again with the connection\'s channel binding'
complete -c est-enroll -n '__est_enroll_is simpleenroll simplereenroll; and __est_enroll_once --csr-key' -l csr-key -r -F -d 'With --pop: private key of the request'
complete -c est-enroll -n '__est_enroll_is simpleenroll simplereenroll run; and __est_enroll_once --csr-key-passphrase-file' -l csr-key-passphrase-file -r -F -d 'Passphrase of --csr-key'
complete -c est-enroll -n '__est_enroll_is run renew; and __est_enroll_once --new-key' -l new-key -x -a 'auto ec:P-256 ec:P-384 ec:P-521 rsa:2048 rsa:3072 rsa:4096 ed25519' -d 'Type of a new key: ec:P-256, rsa:3072, ...; auto: as the server requests'
complete -c est-enroll -n '__est_enroll_is run renew; and __est_enroll_once --key-out' -l key-out -r -F -d 'File for the new key (mode 0600, never overwritten)'
complete -c est-enroll -n '__est_enroll_is run renew; and not __fish_contains_opt pop' -l pop -d 'Include the channel binding even if the server does not request it'
complete -c est-enroll -n '__est_enroll_is run renew; and not __fish_contains_opt once' -l once -d 'Do not wait: exit with 75 if the server answers "not yet"'
complete -c est-enroll -n '__est_enroll_is run renew; and __est_enroll_once --save-cacerts' -l save-cacerts -r -F -d 'Write the server\'s CA certificates to this file, for --explicit-ta'
complete -c est-enroll -n '__est_enroll_is run renew list status; and __est_enroll_once --journal' -l journal -r -F -d 'State of an interrupted run'
complete -c est-enroll -n '__est_enroll_is run; and __est_enroll_once --csr-key' -l csr-key -r -F -d 'Existing private key to use instead of --new-key'
complete -c est-enroll -n '__est_enroll_is run' -l dns -x -d 'DNS name for the SAN, if the server sets none (repeatable)'
complete -c est-enroll -n '__est_enroll_is run' -l ip -x -d 'IP address for the SAN, if the server sets none (repeatable)'
complete -c est-enroll -n '__est_enroll_is run; and __est_enroll_once --cn' -l cn -x -d 'Common name, if the server sets none'
complete -c est-enroll -n '__est_enroll_is run; and __est_enroll_once --serial-number' -l serial-number -x -d 'serialNumber for the subject, if the server requests it'
complete -c est-enroll -n '__est_enroll_is renew; and __est_enroll_once --before' -l before -x -d 'Renew this long before expiry: a duration or a share of the lifetime'
complete -c est-enroll -n '__est_enroll_is renew; and not __fish_contains_opt check' -l check -d 'Only report by exit status: 0 due, 1 nothing to do, 255 error; with --server: try all but the request'
complete -c est-enroll -n '__est_enroll_is renew; and not __fish_contains_opt detailed-exitcode' -l detailed-exitcode -d 'Exit with 2 if nothing was due'
complete -c est-enroll -n '__est_enroll_is renew; and __est_enroll_once --jitter' -l jitter -x -d 'Wait up to this long, at random, before a request'
complete -c est-enroll -n '__est_enroll_is renew; and __est_enroll_once --deploy-hook' -l deploy-hook -r -F -d 'Program to run after a new certificate is written'
complete -c est-enroll -n '__est_enroll_is renew' -l hook-env -x -d 'Environment variable that the hook gets (repeatable)'
complete -c est-enroll -n '__est_enroll_is renew; and __est_enroll_once --hook-timeout' -l hook-timeout -x -d 'Kill a hook that runs longer than this'
complete -c est-enroll -n '__est_enroll_is renew; and __est_enroll_once --metrics-file' -l metrics-file -r -F -d 'Write metrics for node_exporter to this file'
complete -c est-enroll -n '__est_enroll_is list status; and __est_enroll_once --config-dir' -l config-dir -x -a '(__fish_complete_directories)' -d 'Certificates of the .toml files in this folder, each as renew has it in --config'
complete -c est-enroll -n '__est_enroll_is list status; and __est_enroll_once --cert' -l cert -r -F -d 'Certificate (PEM)'
complete -c est-enroll -n '__est_enroll_is list status; and __est_enroll_once --key' -l key -r -F -d 'Private key of --cert (file)'
complete -c est-enroll -n '__est_enroll_is list status; and __est_enroll_once --before' -l before -x -d 'As renew has it: a duration or a share of the lifetime'
complete -c est-enroll -n '__est_enroll_is list status; and __est_enroll_once --metrics-file' -l metrics-file -r -F -d 'File that renew writes, which has the time of the last success'
