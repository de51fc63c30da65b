#!/bin/sh
# Serves the registry with the first configuration file, but with the second, read-only one as long as the lease of a
# collection has not expired. If the pod is not replaced within two minutes after that, it switches to the first one in
# place, and cuts off requests that take longer than ten seconds.
# From the first blank line on, this is the command of the registry's pods: a changed byte replaces all of them.
# shellcheck disable=SC2034 # The loop only counts.

until=0
# What cannot be told counts as locked.
is_locked() {
    if [ -e /lock/until ]; then
        read -r until < /lock/until
        case $until in '' | *[!0-9]*) return 0 ;; esac
    fi
    case $READ_ONLY_UNTIL in *[!0-9]*) return 0 ;; esac
    now=$(date +%s)
    [ "$((${now:-0} - $1))" -lt "${READ_ONLY_UNTIL:-0}" ] || [ "$((${now:-0} - $1))" -lt "${until:-0}" ]
}
if is_locked 0; then
    /bin/registry serve "$2" &
    registry=$!
    trap 'kill -TERM $registry; wait $registry; exit' TERM
    while kill -0 $registry 2>/dev/null && is_locked 120; do sleep 1 & wait $!; done
    kill -0 $registry 2>/dev/null || exit 1
    kill -TERM $registry
    for second in 1 2 3 4 5 6 7 8 9 10; do
        kill -0 $registry 2>/dev/null || break
        sleep 1
    done
    kill -KILL $registry 2>/dev/null
fi
exec /bin/registry serve "$1"
