#!/bin/sh
# Installs Debian packages and starts nothing. An argument names one, or several of which the first
# that is known is meant.

# A policy keeps daemons from being started now; units that packages enable are disabled below.
policy=/usr/sbin/policy-rc.d
mark="for the installation of homelab-registry's sandbox"
# One of ours was left by an installation that was killed.
if [ ! -e $policy ] || grep --quiet "$mark" $policy; then
    trap 'rm -f $policy' EXIT
    trap 'exit 1' INT TERM HUP
    printf '#!/bin/sh\n# %s\nexit 101\n' "$mark" > $policy
    chmod 755 $policy
fi
units="etcd.service containerd.service docker.service docker.socket
    podman.service podman.socket podman-restart.service podman-auto-update.service podman-auto-update.timer
    prometheus.service prometheus-pushgateway.service"
# Podman's bridge would be a network for the Pods of a node on this machine.
network=--path-exclude=/etc/cni/net.d/87-podman-bridge.conflist
disabled=$(for unit in $units; do systemctl is-enabled --quiet $unit 2> /dev/null || echo $unit; done)

export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1
get() { apt-get -o DPkg::Lock::Timeout=300 -o DPkg::Options::=$network --yes --no-install-recommends "$@"; }

# After an installation that was stopped half way.
dpkg --configure -a
get update
packages= replacing=
for names; do
    for name in $names; do apt-cache show $name > /dev/null 2>&1 && break; done
    case $name in
        busybox-static) replacing=$name ;;
        *) packages="$packages $name" ;;
    esac
done

# A containerd or Docker from elsewhere is never removed; busybox-static takes busybox's place.
status=0
[ -z "$packages" ] || get --no-remove install $packages || status=$?
[ -z "$replacing" ] || get install $replacing || status=$?

for unit in $disabled; do systemctl disable --quiet $unit 2> /dev/null; done
exit $status
