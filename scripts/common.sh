# shellcheck shell=sh
# Functions that the scripts in this folder share.

# Prints the header of the script.
usage() { sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"; }

# Ends the script because it was called in a wrong way.
wrong_usage() {
    usage >&2
    exit 2
}

# Prints a setting of the stack as the program reads it; scripts/settings.ts lists the settings.
setting() { node --require ts-node/register scripts/settings.ts "$1"; }

# Deletes what would keep Pulumi from reading its state. If Pulumi was killed while it wrote a state file, it left an
# empty .attrs file beside it.
repair_state_files() {
    backend=$(pulumi whoami --verbose --json | jq --raw-output .url)
    if [ "${backend#file://}" != "$backend" ]; then
        folder=$(printf '%s' "$backend" | sed "s,^file://,,; s,?.*,,; s,^~,$HOME,")
        find "$folder/.pulumi" -name '*.attrs' -empty -delete
    fi
}

# Prints what jq selects from the state. A pipe alone would hide that Pulumi failed.
state() {
    exported=$(pulumi stack export) && printf '%s' "$exported" | jq --raw-output "$1"
}
