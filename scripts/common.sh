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
