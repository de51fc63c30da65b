# shellcheck shell=sh
# Functions that the scripts in this folder share.

# Prints the header of the script.
usage() { sed -n '1d; /^#/!q; s/^# \{0,1\}//p' "$0"; }

# Ends the script because it was called in a wrong way.
wrong_usage() {
    usage >&2
    exit 2
}

# Ends the script if it was called with arguments: with its header for --help, or else because of a wrong usage.
expect_no_arguments() {
    case $#,${1:-} in
        0,) ;;
        1,--help) usage && exit ;;
        *) wrong_usage ;;
    esac
}

# Ends the script with these lines.
fail() {
    printf '%s\n' "$@" >&2
    exit 1
}

# Sets a variable for each of these settings of the stack, as the program reads them; scripts/settings.ts lists them.
read_settings() {
    # A variable that the caller exported would pass a secret to every command.
    unset -v assignments "$@"
    assignments=$(node --require ts-node/register scripts/settings.ts "$@") && eval "$assignments" &&
        unset -v assignments
}

# Deletes what would keep Pulumi from reading its state. If Pulumi was killed while it wrote a state file, it left an
# empty .attrs file beside it.
repair_state_files() {
    backend=$(pulumi whoami --verbose --json | jq --raw-output .url)
    if [ "${backend#file://}" != "$backend" ]; then
        folder=$(printf '%s' "$backend" | sed "s,^file://,,; s,?.*,,; s,^~,$HOME,")
        # find also reports what an update of another stack deletes meanwhile. That is no error.
        LC_ALL=C find "$folder/.pulumi" -name '*.attrs' -size 0 -exec rm -f {} + 2>&1 |
            grep -v 'No such file or directory$' >&2 || true
    fi
}

# Removes the lock that an interrupted update has left. If there is none, Pulumi's service may return an error.
cancel_update() { pulumi cancel --yes || echo "No update was cancelled." >&2; }

# Prints what jq selects from the state: `state FILTER [--show-secrets]`. A pipe alone would hide that Pulumi failed.
state() {
    # A variable that the caller exported would pass the secrets to every command.
    unset -v exported
    exported=$(pulumi stack export ${2:+"$2"}) && printf '%s' "$exported" | jq --raw-output "$1"
}

# Calls kubectl for the stack's registry. Needs `read_settings kubeContext`, and the namespace.
# shellcheck disable=SC2154 # read_settings sets kubeContext, and scripts set namespace.
cluster() { kubectl ${kubeContext:+--context "$kubeContext"} --namespace "$namespace" "$@"; }

# Ends the script unless MinIO shows the stack's bucket to minioUser, or shows that it does not exist. Sets minioServer,
# empty if the stack uses an existing bucket, and bucketExists: true or false. `check_minio SETTING...` also reads
# these settings: to read them later would start Node and Pulumi again.
# shellcheck disable=SC2034,SC2154 # read_settings sets variables, and scripts read bucketExists.
check_minio() {
    read_settings minioServer curlOptions "$@"
    bucketExists=true
    if [ -z "$minioServer" ]; then
        unset -v curlOptions
        echo "This stack uses an existing bucket; it has nothing in MinIO that a refresh would read."
        return
    fi
    # The options contain the password. They reach curl by standard input: everybody on this machine can see arguments.
    status=$(printf '%s\n' "$curlOptions" | curl --config - --head --silent --show-error --max-time 30 \
        --output /dev/null --write-out '%{http_code}') ||
        fail "MinIO does not respond at $minioServer, so nothing was refreshed:" \
            "a refresh would take the bucket for deleted."
    unset -v curlOptions
    case $status in
        200) echo "MinIO responds at $minioServer." ;;
        404)
            # Somebody deleted the bucket. A refresh must show that.
            bucketExists=false
            echo "MinIO responds at $minioServer, but the bucket does not exist."
            ;;
        *)
            fail "MinIO responds with $status at $minioServer, so nothing was refreshed:" \
                "a refresh would take the bucket for deleted." \
                "403 means that minioUser or minioPassword is wrong; 503 means that MinIO is not ready yet."
            ;;
    esac
}

# Prints how Pulumi connects to MinIO in a refresh: like the setting minioConnection, but from the state. Prints nothing
# if the state has no provider of MinIO.
state_connection() {
    state 'def plain: if type == "object" then .plaintext | fromjson else . end;
        .deployment.resources // [] |
        map(select(.type == "pulumi:providers:minio" and (.delete | not)))[0].inputs // empty |
        [.minioServer, .minioSsl, .minioCacertFile, .minioRegion, .minioUser, .minioPassword] |
        map(plain) | tojson' --show-secrets
}

# Ends the script unless a refresh is safe: Pulumi takes any error of MinIO for a deleted bucket.
# `guard_refresh COMMAND` names the command that updates the connection in the state.
# shellcheck disable=SC2154 # check_minio sets minioConnection.
guard_refresh() {
    check_minio minioConnection
    [ -n "$minioServer" ] || return 0
    unset -v connection
    connection=$(state_connection)
    if [ -z "$connection" ] || [ "$connection" = "$minioConnection" ]; then
        unset -v connection minioConnection
        return
    fi
    address=$(printf '%s' "$connection" | jq --raw-output '.[0]')
    [ "$address" = "$minioServer" ] ||
        fail "The state has MinIO at $address, and the configuration at $minioServer." \
            "For another MinIO, run:" "    scripts/restore" \
            "For the same one at another address, run this first, and then this script again:" "    $1" \
            "Nothing was changed."
    fail "The state has another login, TLS, CA or region of MinIO than the configuration. A refresh connects as the" \
        "state says: if MinIO refuses that, the bucket drops out of the state." \
        "Run this first, and then this script again:" "    $1" "Nothing was changed."
}
