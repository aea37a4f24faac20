teap() {
    [[ -e pki/maker.pem ]] || make_pki pki
    touch pki/acct.json
    mkdir -p ca-est
    start_bench_teap
    teap_load --clients 4 --tls 1.3 --rounds 1 --requests 100
    ( until [[ $(sqlite3 pki/relay.db 'select count(*) from certificates' 2>/dev/null || echo 0) -ge 2590 ]]; do sleep 0.3; done
      cat /proc/$RELAY_PID/task/*/schedstat | awk '{a+=$1;c+=$3} END {print "cpu ms", a/1e6, "switches", c}'
      perf record -q -F 5000 -e cpu-clock -g -p $RELAY_PID -o /tmp/h/perf.$WHICH -- sleep 3 
      cat /proc/$RELAY_PID/task/*/schedstat | awk '{a+=$1;c+=$3} END {print "cpu ms", a/1e6, "switches", c}'
       ) &
    teap_load --clients 4 --tls 1.3 --rounds 1 --requests 2500
    stop_relay
}
