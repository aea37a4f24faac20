# fish completion for csr-build, made by completions/generate
complete -c csr-build -f
function __csr_build_once --description 'None of these was given, or only its value is missing'
    set -l words (commandline -opc)
    contains -- $words[-1] $argv; and return 0
    for word in $argv
        string match -q -- $word $words; and return 1
        string match -q -- "$word=*" $words; and return 1
    end
    return 0
end
complete -c csr-build -n '__csr_build_once --new-key' -l new-key -x -a 'ec:P-256 ec:P-384 ec:P-521 rsa:2048 rsa:3072 rsa:4096 ed25519' -d 'Type of a new key: ec:P-256, ec:P-384, ec:P-521, rsa:2048 to rsa:4096, ed25519'
complete -c csr-build -n '__csr_build_once --key-out' -l key-out -r -F -d 'File for the new key (mode 0600, never overwritten)'
complete -c csr-build -n '__csr_build_once --key' -l key -r -F -d 'Existing private key (file or URI)'
complete -c csr-build -n '__csr_build_once --key-passphrase-file' -l key-passphrase-file -r -F -d 'Passphrase of --key'
complete -c csr-build -l dns -x -d 'DNS name for the SAN (repeatable)'
complete -c csr-build -l ip -x -d 'IP address for the SAN (repeatable)'
complete -c csr-build -n '__csr_build_once --cn' -l cn -x -d 'Common name; must be one of the names'
complete -c csr-build -n '__csr_build_once --challenge-password-file' -l challenge-password-file -r -F -d 'challengePassword (channel binding, base64)'
complete -c csr-build -n '__csr_build_once --csrattrs' -l csrattrs -r -F -d 'Build the request from these CSR attributes (DER or base64)'
complete -c csr-build -n '__csr_build_once --idevid' -l idevid -r -F -d 'With --domain: name the device after the serialNumber of this certificate'
complete -c csr-build -n '__csr_build_once --label' -l label -x -a 'random' -d 'With --domain: random, for a new opaque label'
complete -c csr-build -n '__csr_build_once --domain' -l domain -x -d 'Domain of the device\'s name; auto: from DHCP or the resolver'
complete -c csr-build -n 'not __fish_contains_opt allow-wildcard' -l allow-wildcard -d 'Accept names like *.example.com'
complete -c csr-build -n '__csr_build_once --format' -l format -x -a 'pem der' -d 'Output format: pem or der'
complete -c csr-build -n 'not __fish_contains_opt -s h help' -s h -l help -d 'Show this help; with --json as a document'
complete -c csr-build -n 'not __fish_contains_opt version' -l version -d 'Show the version'
complete -c csr-build -n '__csr_build_once --config' -l config -r -F -d 'Read options from this TOML file'
complete -c csr-build -n 'not __fish_contains_opt json' -l json -d 'Print the result as a JSON document'
complete -c csr-build -n '__csr_build_once -o --output' -s o -l output -r -F -d 'Write the result to this file, atomically'
complete -c csr-build -n 'not __fish_contains_opt -s q quiet' -s q -l quiet -d 'Only print errors'
complete -c csr-build -s v -l verbose -d 'Print each step; -vv also prints each request'
complete -c csr-build -n '__csr_build_once --log-format' -l log-format -x -a 'text json' -d 'Format of the log: text, or json for one document per line'
