#!/usr/bin/env bash
# What must not make a request dearer: CPU per request (W2: TLS, 1 KiB) of Crossfade with much of
# something beside Crossfade without it, interleaved, least and median of the rounds.
#   bench/curves.sh [-r ROUNDS] [-d SECONDS] [-v "VARIANT .."]
# Needs what bench/run.sh needs, crossfade on the PATH.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
rounds=5 secs=2 variants="plain idle nodes-1000 certificates-200 workers-2 reload-10ms captured captured-rules-1000"
while getopts r:d:v: o; do case $o in r) rounds=$OPTARG ;; d) secs=$OPTARG ;; v) variants=$OPTARG ;; *) exit 2 ;; esac; done
ulimit -n 100000 2>/dev/null || ulimit -n "$(ulimit -Hn)"
T=$(mktemp -d) subject='' backend='' reloads='' HELD_PID=''
finish() { for p in $reloads $HELD_PID $subject $backend; do kill "$p" 2>/dev/null || true; done; wait; rm -rf "$T"; }
trap finish EXIT
trap 'exit 130' INT TERM
for t in backend cputree tlsconn; do gcc -O2 -o "$T/$t" "$here/tools/$t.c" -lssl -lcrypto; done
certificate() { # NAME
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$T/$1.key" -out "$T/$1.crt" \
		-days 30 -subj "/CN=$1" -addext "subjectAltName=DNS:$1" 2>/dev/null
}
certificate bench.test
for i in $(seq 200); do certificate "c$i.test"; done
PORT=${LISTEN:-28010} B=${B1:-28001}
taskset -c 1 "$T/backend" -c "$T/bench.test.crt" -k "$T/bench.test.key" "a:$B" & backend=$!

answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
until responses "$B"; do kill -0 $backend; done

configure() { # VARIANT
	local nodes="http://127.0.0.1:$B" more='' workers=1 certificates=''
	case $1 in
	nodes-1000) nodes=$(for i in $(seq 0 999); do echo "http://n$i.localhost:$B"; done | paste -sd,) ;;
	certificates-200)
		certificates=", certificates: [ $(for i in $(seq 200); do echo "{ certificate: $T/c$i.test.crt, key: $T/c$i.test.key }"; done | paste -sd,) ]" ;;
	captured) more="profile: opensearch
capture: { directory: $T/run/capture }" ;;
	captured-rules-1000)
		more="profile: opensearch
capture: { directory: $T/run/capture, skip: [ $(for i in $(seq 1000); do echo "{ method: GET, path: /index-$i/_search }"; done | paste -sd,) ] }" ;;
	workers-2) workers=2 ;;
	esac
	cat >"$T/run/crossfade.yaml" <<-E
		listeners:
		  weighted: { address: 127.0.0.1:$PORT, forwarded: preserve, trace: keep }
		tls: { certificate: $T/bench.test.crt, key: $T/bench.test.key$certificates }
		source:
		  nodes: [ $nodes ]
		  health: { interval: 1h }
		target:
		  nodes: [ http://127.0.0.1:$B ]
		weights: { source: 1, target: 0 }
		workers: $workers
		timeouts: { idle: 300s }
		admin: { socket: $T/run/admin.sock }
		state: $T/run/state
		$more
	E
}

load() { taskset -c 1 env OPENSSL_CONF="$here/conf/openssl-client.cnf" wrk -t1 -c100 -d"$1" "https://127.0.0.1:$PORT/1k" | awk '/requests in/ { print $1 }'; }
cpu() { "$T/cputree" "$subject" | awk '{ print $1 }'; }
resident() { "$T/cputree" "$subject" | awk '{ print int($4 / 1024) }'; }

# 20,000 connections, or as many as one process here may have open beside the busy ones.
hold_idle() {
	local most=$(($(ulimit -n) - 500))
	coproc HELD { taskset -c 1 env OPENSSL_CONF="$here/conf/openssl-client.cnf" "$T/tlsconn" idle "$PORT" $((most < 20000 ? most : 20000)); }
	read -r -u "${HELD[0]}" held
}
let_go() { # all of them have to answer once more
	local out=${HELD[0]} pid=$HELD_PID alive
	echo >&"${HELD[1]}"
	read -r -u "$out" alive
	echo "idle: $held; then $alive; resident $(resident) MiB" >&2
	wait "$pid"
}

reload_always() { while sleep 0.01; do kill -HUP "$subject"; done; }

cell() { # VARIANT: a line "VARIANT us"
	local cores=0 n a
	rm -rf "$T/run"; mkdir "$T/run"
	configure "$1"
	[[ $1 != workers-2 ]] || cores=0,1
	taskset -c $cores crossfade run -c "$T/run/crossfade.yaml" 2>"$T/run/log" & subject=$!
	until responses "$PORT"; do kill -0 $subject || { cat "$T/run/log"; exit 1; }; done
	load 1 >/dev/null
	local before; before=$(resident)
	[[ $1 != reload-10ms ]] || { reload_always & reloads=$!; }
	[[ $1 != idle ]] || hold_idle
	a=$(cpu); n=$(load "$secs"); a=$(($(cpu) - a))
	[[ $1 != idle ]] || let_go
	if [[ $reloads ]]; then
		kill "$reloads"; wait "$reloads" 2>/dev/null || true; reloads=
		sleep 7 # the memory of plans that went is given back within five seconds
		echo "reload-10ms: $(grep -c 'reload' "$T/run/log" || true) lines of reloads in the log; resident $before MiB before, $(resident) MiB after" >&2
	fi
	awk -v a="$a" -v n="$n" -v v="$1" 'BEGIN { printf "%s %.2f\n", v, a / n / 1000 }'
	kill $subject; wait $subject 2>/dev/null || true; subject=
}

for r in $(seq "$rounds"); do for v in $variants; do cell "$v"; done; done | tee "$T/cells" >&2
for v in $variants; do
	awk -v v="$v" '$1 == v { print $2 }' "$T/cells" | sort -n | awk -v v="$v" '{ x[NR] = $1 } END { printf "%-22s least %6.2f us  median %6.2f us\n", v, x[1], x[int((NR + 1) / 2)] }'
done
