#!/bin/sh
# One role of gracefuzz: what the image, the units and the manifests execute.
#
#   role.sh service      the API and the pages; needs a token in the database
#   role.sh migrate      bring the database to this release, make the tokens that are files; ends
#   role.sh head         the head of the Ray cluster; it executes no campaign itself
#   role.sh coordinator  gives out campaigns; on the head's host, in its process namespace
#   role.sh worker       a Ray node whose cores execute campaigns
#   role.sh drain        on a worker that will be stopped: take no more work
#   role.sh healthy      whether the role of this container does its work
#
# Settings, from the environment:
#   GRACEFUZZ_DB, or GRACEFUZZ_DB_FILE with a file that holds the URL (service, migrate, coordinator)
#   GRACEFUZZ_LISTEN            address of the service [0.0.0.0]
#   GRACEFUZZ_PORT              its port [8080]
#   GRACEFUZZ_TOKENS            folder whose files are tokens, NAME.SCOPE each (migrate)
#   GRACEFUZZ_RAY               HOST:PORT of the head [127.0.0.1:6379]
#   GRACEFUZZ_NODE_IP           this node's address, where Ray would choose another
#   GRACEFUZZ_CORES             cores of a worker [all]
#   GRACEFUZZ_RAY_TEMP          Ray's files; a short path [/tmp/ray]
#   GRACEFUZZ_DRAIN_SECONDS     what leases may take at the end [30]
#   RAY_AUTH_TOKEN_PATH         file with the token of the Ray cluster (head, coordinator, worker)
set -eu

ray_address=${GRACEFUZZ_RAY:-127.0.0.1:6379}
ray_temp=${GRACEFUZZ_RAY_TEMP:-/tmp/ray}
drain_seconds=${GRACEFUZZ_DRAIN_SECONDS:-30}
role_file=${GRACEFUZZ_ROLE_FILE:-/tmp/gracefuzz-role}
export RAY_AUTH_MODE="${RAY_AUTH_MODE:-token}"
export RAY_USAGE_STATS_ENABLED=0
export RAY_ENABLE_UV_RUN_RUNTIME_ENV=0
# A node that is gone is noticed after some ten seconds instead of a minute; both ends must agree.
export RAY_health_check_period_ms="${RAY_health_check_period_ms:-3000}"
export RAY_health_check_timeout_ms="${RAY_health_check_timeout_ms:-3000}"
export RAY_health_check_failure_threshold="${RAY_health_check_failure_threshold:-3}"

fail() {
    echo "gracefuzz-role: $1" >&2
    exit 2
}

need_ray_token() {
    [ "$RAY_AUTH_MODE" = token ] || fail "RAY_AUTH_MODE is $RAY_AUTH_MODE: Ray executes what anybody sends to an open cluster; set it to token"
    [ -n "${RAY_AUTH_TOKEN:-}" ] || [ -r "${RAY_AUTH_TOKEN_PATH:-}" ] ||
        fail "set RAY_AUTH_TOKEN_PATH to a readable file with the cluster's token (make one: openssl rand -hex 32)"
}

# Ray's own choice of an object store is 30 % of the memory; results of leases are some kilobytes.
ray_node() {
    ip=${GRACEFUZZ_NODE_IP:+--node-ip-address=$GRACEFUZZ_NODE_IP}
    # shellcheck disable=SC2086 # no word at all where it is empty
    exec ray start --block --disable-usage-stats --object-store-memory=83886080 $ip "$@"
}

# The raylet of this container names its node on its command line.
node_id() {
    for line in /proc/[0-9]*/cmdline; do
        tr '\0' '\n' <"$line" 2>/dev/null | sed -n 's/^--node_id=//p'
    done | head -n 1
}

case "${1:-}" in
service | migrate | head | coordinator | worker) printf '%s' "$1" >"$role_file" ;;
esac

case "${1:-}" in
service)
    exec gracefuzz serve --host "${GRACEFUZZ_LISTEN:-0.0.0.0}" --port "${GRACEFUZZ_PORT:-8080}"
    ;;
migrate)
    gracefuzz db upgrade
    for file in "${GRACEFUZZ_TOKENS:-/nowhere}"/*.*; do
        [ -e "$file" ] || continue
        name=$(basename "$file")
        gracefuzz token create "${name%.*}" --scope "${name##*.}" --secret-file "$file"
    done
    ;;
head)
    need_ray_token
    ray_node --head --port="${ray_address##*:}" --num-cpus=0 --include-dashboard=false \
        --temp-dir="$ray_temp"
    ;;
coordinator)
    need_ray_token
    exec gracefuzz workers --address "$ray_address" --drain "${drain_seconds}s"
    ;;
worker)
    need_ray_token
    ray_node --address="$ray_address" ${GRACEFUZZ_CORES:+--num-cpus="$GRACEFUZZ_CORES"} \
        --temp-dir="$ray_temp"
    ;;
drain)
    need_ray_token
    id=$(node_id)
    [ -n "$id" ] || fail "no Ray node lives here"
    ray drain-node --address "$ray_address" --node-id "$id" \
        --reason DRAIN_NODE_REASON_PREEMPTION --reason-message "the node is being stopped" \
        --deadline-remaining-seconds "$drain_seconds"
    ;;
healthy)
    case "$(cat "$role_file" 2>/dev/null)" in
    service)
        exec python -c 'import sys, urllib.request as r; r.urlopen(sys.argv[1], timeout=5)' \
            "http://127.0.0.1:${GRACEFUZZ_PORT:-8080}/readyz"
        ;;
    head | worker) exec ray health-check --address "$ray_address" ;;
    coordinator) exec gracefuzz db current ;;
    *) fail "no role was started here" ;;
    esac
    ;;
*)
    sed -n 's/^#   \(role.sh .*\)/\1/p' "$0" >&2
    exit 2
    ;;
esac
