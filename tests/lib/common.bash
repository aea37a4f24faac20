# Sourced by the tests and by examples/quickstart: where things are, free ports, waiting, and stopping what was started.

ROOT="$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd)"
BUILD="${ACMETOOL_BUILD:-$ROOT/build}"
# ACMETOOL_PROGRAMS, if set, is the only folder of programs beside the build (packaging/link-programs).
PATH="$BUILD/bin:${ACMETOOL_PROGRAMS:-$PATH:/usr/sbin:/sbin}"
export LD_LIBRARY_PATH="$BUILD/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
# libfaketime is loaded before the sanitizer's runtime, which would rather be first, and whose allocator may not ask for the time
# then. A program that runs for a moment looks for no leaks, keeps no frames of functions that returned, and few callers of an
# allocation: that would take it longer than all else. Servers look for leaks.
ASAN_OPTIONS=verify_asan_link_order=0:allocator_release_to_os_interval_ms=-1:detect_leaks=0:detect_stack_use_after_return=0\
:malloc_context_size=5${ASAN_OPTIONS:+:$ASAN_OPTIONS}
export ASAN_OPTIONS
SERVER_ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=1
STARTED=()
# A program that is not built must not be found elsewhere: an installed one would be tested.
if [[ -n ${BATS_RUN_TMPDIR:-} ]]; then
    for program in acme-order acme-ca est-relay teap-relay; do
        [[ -x $BUILD/bin/$program ]] || {
            echo "$BUILD/bin/$program is missing: build all programs first" >&2
            exit 69
        }
    done
fi

# bats notes the line before each command, also in each subshell, which takes a tenth of the suite's time. Here it notes the
# line when a command failed.
if declare -F bats_error_trap >/dev/null; then
    set +o functrace
    bats_error_trap() {
        bats_check_status_from_trap
        [[ -n $BATS_DEBUG_LAST_STACK_TRACE_IS_VALID ]] || bats_capture_stack_trace
        BATS_DEBUG_LAST_STACK_TRACE_IS_VALID=1
    }
fi

# A process costs ten times what bash does itself; what all tests call starts none that it can do without.

# pause SECONDS, as sleep.
pause() {
    [[ -n ${NEVER_READY:-} ]] || exec {NEVER_READY}<> <(:)
    read -rt "$1" -u "$NEVER_READY" || true
}

# contains FILE TEXT
contains() {
    local all
    read -rd '' all <"$1" || true # its end is none of a line
    [[ $all == *"$2"* ]]
}

# free_port: a TCP and UDP port of 127.0.0.1 that nobody listens on, and that was given to no other test of this run. It is
# none of those that the system gives to clients.
free_port() {
    local port sockets=() table wanted
    for table in tcp tcp6 udp udp6; do mapfile -t -O "${#sockets[@]}" sockets <"/proc/net/$table"; done
    while :; do
        port=$((20000 + RANDOM % 12000))
        printf -v wanted ':%04X ' "$port"
        if [[ ${sockets[*]} != *"$wanted"* ]] && take_port "$port"; then
            echo "$port"
            return
        fi
    done
}
take_port() { # PORT: for this test; false if another one has it
    [[ -n ${BATS_RUN_TMPDIR:-} ]] || return 0
    local status=0
    set -C # what is there is not written again
    { : >"$BATS_RUN_TMPDIR/port-$1"; } 2>/dev/null || status=1
    set +C
    return "$status"
}

# made_once NAME FOLDER COMMAND...: FOLDER gets the files that the command makes in the folder that is its last argument. It is
# run for the first test of a run that asks for NAME; the others have copies.
made_once() {
    local kept=${BATS_RUN_TMPDIR:-}/made-$1 folder=$2
    shift 2
    mkdir -p "$folder"
    if [[ -z ${BATS_RUN_TMPDIR:-} ]]; then
        "$@" "$folder"
        return
    fi
    if [[ ! -e $kept ]]; then
        mkdir "$kept.$BASHPID"
        "$@" "$kept.$BASHPID"
        mv -T "$kept.$BASHPID" "$kept" 2>/dev/null || rm -r "$kept.$BASHPID" # another test was faster
    fi
    cp "$kept"/* "$folder"
}

# wait_for SECONDS COMMAND...: until the command succeeds. The limit is that of a machine at rest, which a slow or busy one may
# exceed: it ends what hangs, and proves nothing about time.
wait_for() {
    local end=$((SECONDS + 3 * $1)) turns=0 length=0.05
    shift
    until "$@" >/dev/null 2>&1; do
        if ((SECONDS >= end)); then
            echo "not in time: $*" >&2
            return 1
        fi
        # What takes long is not asked for often: that would slow it down.
        ((++turns < 20)) || length=0.2
        pause "$length"
    done
}

# clock_variables CLOCK: sets CLOCK_VARIABLES, with which a program has that clock, as libfaketime writes it: +1d, -20d,
# @1970-01-01 12:00:00. The program faketime is not used: it fails if one with its process ID was killed before, and a
# signal to it does not reach the command.
clock_variables() {
    CLOCK_VARIABLES=("LD_PRELOAD=/usr/\$LIB/faketime/libfaketime.so.1" "FAKETIME=$1")
}

# at_clock CLOCK COMMAND...
at_clock() {
    clock_variables "$1"
    shift
    env "${CLOCK_VARIABLES[@]}" "$@"
}

# stop_all: ends every process in STARTED and waits for it.
stop_all() {
    local pid turns
    ((${#STARTED[@]} == 0)) || kill "${STARTED[@]}" 2>/dev/null || true
    for pid in "${STARTED[@]}"; do
        for ((turns = 0; turns < 100; ++turns)); do
            kill -0 "$pid" 2>/dev/null || break
            pause 0.05
        done
        kill -9 "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    STARTED=()
    return 0
}

# sqlite DATABASE STATEMENT: waits while a server writes there.
sqlite() { sqlite3 -cmd '.timeout 60000' "$@"; }

# clean FILE...: nothing in them steers a terminal or breaks a line of a log: no control character, C1 included, and
# nothing that turns the direction of the text.
clean() {
    local found
    found=$(LC_ALL=C grep -anHP '[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\x8e\x8f\xa8-\xae]|\xe2\x81[\xa6-\xa9]' "$@" 2>&1 |
        head -n 5 | cat -v | cut -c 1-300) || true
    [[ -z $found ]] || { echo "$found" >&2; return 1; }
}
