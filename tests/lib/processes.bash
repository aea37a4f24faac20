# Processes in the background, and how they end. Needs common.bash.

# start COMMAND...: in the background, standard output in ready; PID.
start() {
    : >ready
    "$@" >ready 3>&- &
    PID=$!
    STARTED+=("$PID")
}

# ends STATUS PID: by SIGTERM.
ends() {
    local code=0
    kill -TERM "$2"
    wait_for 20 gone "$2"
    wait "$2" || code=$?
    [ "$code" = "$1" ] || echo "status $code" >&2
    [ "$code" = "$1" ]
}
gone() { [[ ! -e /proc/$1 ]] || grep -q '^State:.Z' "/proc/$1/status"; }
