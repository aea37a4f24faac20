# shellcheck disable=SC2154 # bench/run sets what is not set here
# The scale part of bench/run: one, two and three relays on one PostgreSQL, each held to a fifth of a core. Sourced by it.
#
# The quota is the kernel's, as a container's is. So the load generator and the server have what remains of the
# machine, and are not what is measured: "held" is the share of the quota's periods in which a relay used it up. It is
# low where others had the machine, and then "relay CPU ms", of one enrolment, says more than the rate. "locks" is the share of the server's working connections that waited for
# a lock of another one, sampled 20 times a second.
scale() {
    local place=$folder/pg-scale number round
    if ! find_quota; then return; fi
    prepare_relays_on "$place"
    scale_ports=() scale_pids=()
    for number in 1 2 3; do start_scale_relay "$number"; done
    echo
    echo "Relays on one PostgreSQL, each held to a fifth of a core: simpleenroll, a new TLS 1.3 connection for each," \
        "$scale_clients clients a relay, medians of $scale_rounds turns; goal: 2.70x for three"
    printf '%8s %9s %8s %9s %9s %12s %8s %8s\n' relays "per s" "to one" "p50 ms" "p99 ms" "relay CPU ms" held locks
    for ((round = 0; round < scale_rounds; round++)); do
        for number in 1 2 3; do one_scale "$number" >>"rates.$number"; done
    done
    for number in 1 2 3; do scale_row "$number"; done
    for number in "${scale_pids[@]}"; do kill "$number"; done
    stop_postgres "$place" immediate
}

# find_quota: where groups of processes with a quota can be made, in QUOTA_ROOT: version 2 of the kernel's control groups, or
# version 1. Prints why on stderr if there is none.
find_quota() {
    local probe
    QUOTA_ROOT=''
    for QUOTA_ROOT in /sys/fs/cgroup /sys/fs/cgroup/unified /sys/fs/cgroup/cpu /sys/fs/cgroup/cpu,cpuacct; do
        probe=$QUOTA_ROOT/acmetool-bench-$$
        mkdir "$probe" 2>/dev/null || continue
        if [[ -w $probe/cpu.max || -w $probe/cpu.cfs_quota_us ]]; then
            rmdir "$probe"
            return
        fi
        rmdir "$probe"
    done
    echo "bench/run: scale is left out: no control group with a CPU quota can be made below /sys/fs/cgroup (root, and the" \
        "controller \"cpu\" in cgroup.subtree_control or mounted, are needed)" >&2
    return 1
}

# make_quota NAME: the group $QUOTA_ROOT/NAME, whose processes together have a fifth of a core: no more, and no less, as their
# weight lets them have it before others.
make_quota() {
    local group=$QUOTA_ROOT/$1
    mkdir "$group"
    QUOTAS+=("$group")
    if [[ -e $group/cpu.max ]]; then
        echo '20000 100000' >"$group/cpu.max"
        echo 1000 >"$group/cpu.weight"
    else
        echo 100000 >"$group/cpu.cfs_period_us"
        echo 20000 >"$group/cpu.cfs_quota_us"
        echo 10240 >"$group/cpu.shares"
    fi
}

QUOTAS=()
# remove_quotas: after their processes ended.
remove_quotas() {
    local group
    for group in "${QUOTAS[@]}"; do rmdir "$group" || true; done
    QUOTAS=()
}

start_scale_relay() { # NUMBER
    local dir=relay$1
    cp -r pki "$dir"
    RELAY_PORT='' RELAY_ADMIN_PORT='' ACCOUNT=acct.json CA_ROOT=$PWD/ca-est/root.pem RELAY_DNS='update = ""' \
        RELAY_LIMITS='orders_in_total = 10000000' write_relay_toml "$dir" 'wait = "5s"'
    sed -i 's/^inventory = .*/accept_any = true/' "$dir/relay.toml"
    printf '[store]\npostgresql = "host=127.0.0.1 port=%s user=relay dbname=postgres"\ninstance = "%s"\n' "$PG_PORT" "$dir" \
        >>"$dir/relay.toml"
    if [[ $1 == 1 ]]; then est-relay store init --config "$dir/relay.toml" >/dev/null; fi
    make_quota "acmetool-bench-$$-$1"
    # It is in the group before it does anything.
    sh -c "echo \$\$ >'${QUOTAS[-1]}/cgroup.procs' && exec bench-relay $dir/relay.toml ca-est" >"$dir/ready" 2>"$dir/log" &
    scale_pids+=("$!")
    STARTED+=("$!")
    scale_ports+=("$(sed -n 's/^est = "127.0.0.1:\(.*\)"/\1/p' "$dir/relay.toml")")
    wait_for 60 grep -q ready "$dir/ready"
}

# periods COUNT: how many periods the quotas of the first COUNT relays had, and in how many of them they were used up.
periods() {
    local group
    for group in "${QUOTAS[@]:0:$1}"; do cat "$group/cpu.stat"; done |
        awk '$1 == "nr_periods" { all += $2 } $1 == "nr_throttled" { used += $2 } END { print all, used }'
}

# one_scale COUNT: rate, p50, p99, CPU, and the shares in percent of periods used up and of connections at a lock.
one_scale() {
    local options=() i before after sampler
    for ((i = 0; i < $1; i++)); do options+=(--port "${scale_ports[i]}" --pid "${scale_pids[i]}"); done
    before=$(periods "$1")
    psql -h 127.0.0.1 -p "$PG_PORT" -U relay -d postgres -At >samples 2>/dev/null <<'END' &
SELECT COUNT(*), COUNT(*) FILTER (WHERE wait_event_type = 'Lock') FROM pg_stat_activity
WHERE state = 'active' AND pid <> pg_backend_pid() \watch 0.05
END
    sampler=$!
    bench-est simpleenroll --clients $(($1 * scale_clients)) --tls 1.3 --rounds 1 --requests $(($1 * scale_requests)) --pki pki \
        "${options[@]}" >load || echo "bench/run: not each enrolment was answered by a certificate" >&2
    kill "$sampler" || true
    wait "$sampler" 2>/dev/null || true
    after=$(periods "$1")
    awk -v before="$before" -v after="$after" -v locks="$(awk -F'|' 'NF == 2 { n += $1; w += $2 } END { print n > 0 ? w / n * 100 : 0 }' samples)" '{
        split(before, b); split(after, a)
        periods = a[1] - b[1]
        print $1, $2, $3, $4, (periods == 0 ? 0 : (a[2] - b[2]) / periods * 100), locks }' load
}

scale_row() { # COUNT
    printf '%8s %9s %8s %9s %9s %12s %6.0f %% %6.1f %%\n' "$1" "$(median "rates.$1" 1)" \
        "$(ratio "$(median "rates.$1" 1)" "$(median rates.1 1)")" "$(median "rates.$1" 2)" "$(median "rates.$1" 3)" \
        "$(median "rates.$1" 4)" "$(median "rates.$1" 5)" "$(median "rates.$1" 6)"
}
