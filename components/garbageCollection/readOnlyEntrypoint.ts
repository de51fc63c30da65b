/** The folder of the lock's ConfigMap in the pods of the registry. */
export const lockFolder = "/lock";

/** The annotation of a pod that says until when it has to read only, in seconds since 1970: its ConfigMap may be heard of too late. */
export const readOnlyUntil = "homelab-registry/read-only-until";

/** That annotation, for {@link serve}. */
export const lockEnv = {
    name: "READ_ONLY_UNTIL",
    valueFrom: { fieldRef: { fieldPath: `metadata.annotations['${readOnlyUntil}']` } },
};

/**
 * A shell script that serves by the first configuration given, but by the second as long as garbage may be collected. When the lock
 * runs out, and nobody replaces the pod within two minutes, it changes over in place, and cuts off what takes longer than ten seconds.
 */
export const serve = `
until=0
# What cannot be told counts as locked.
is_locked() {
    if [ -e ${lockFolder}/until ]; then
        read -r until < ${lockFolder}/until
        case $until in '' | *[!0-9]*) return 0 ;; esac
    fi
    case $READ_ONLY_UNTIL in *[!0-9]*) return 0 ;; esac
    now=$(date +%s)
    [ "$((\${now:-0} - $1))" -lt "\${READ_ONLY_UNTIL:-0}" ] || [ "$((\${now:-0} - $1))" -lt "\${until:-0}" ]
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
`;
