# shellcheck shell=sh
# Functions that the scripts in this folder share.

# Prints the header of the script.
usage() { sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"; }

# Ends the script because it was called in a wrong way.
wrong_usage() {
    usage >&2
    exit 2
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

# Prints what jq selects from the state. A pipe alone would hide that Pulumi failed.
state() {
    exported=$(pulumi stack export) && printf '%s' "$exported" | jq --raw-output "$1"
}

# Ends the script unless a refresh is safe. It asks the MinIO in the state, and takes any error for a deleted bucket.
# shellcheck disable=SC2154 # read_settings sets minioServer.
guard_refresh() {
    minio=$(scripts/check-minio)
    echo "$minio"
    read_settings minioServer
    provider='map(select(.type == "pulumi:providers:minio"))[0]'
    address=$(state ".deployment.resources // [] | $provider.inputs.minioServer // empty")
    if [ -n "$address" ] && [ "$address" != "${minioServer:-$address}" ]; then
        printf '%s\n' "The state has MinIO at $address, and the configuration at $minioServer." \
            "For another MinIO, run:" "    scripts/restore" \
            "For the same one at another address, update it first, and run this script again:" \
            "    pulumi cancel && pulumi up --target '**:providers:minio::homelab'" "Nothing was changed." >&2
        exit 1
    fi
}
