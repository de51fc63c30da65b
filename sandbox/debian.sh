#!/bin/sh
# Installs Debian packages without starting their services.
# Usage: debian.sh PACKAGES...
# An argument is a package, or alternatives separated by spaces: the first one that apt knows is installed.

# This policy keeps daemons from starting during the installation. Units that packages enable are disabled below.
policy=/usr/sbin/policy-rc.d
mark="for the installation of homelab-registry's sandbox"
# An interrupted installation leaves this script's own policy.
if [ ! -e $policy ] || grep --quiet "$mark" $policy; then
    trap 'rm -f $policy' EXIT
    trap 'exit 1' INT TERM HUP
    printf '#!/bin/sh\n# %s\nexit 101\n' "$mark" > $policy
    chmod 755 $policy
fi
units="etcd.service containerd.service docker.service docker.socket
    podman.service podman.socket podman-restart.service podman-auto-update.service podman-auto-update.timer
    prometheus.service prometheus-pushgateway.service nginx.service"
# A Kubernetes node on this machine would use Podman's bridge for its pods.
network=--path-exclude=/etc/cni/net.d/87-podman-bridge.conflist
disabled=$(for unit in $units; do systemctl is-enabled --quiet $unit 2> /dev/null || echo $unit; done)

export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1
get() { apt-get -o DPkg::Lock::Timeout=300 -o DPkg::Options::=$network --yes --no-install-recommends "$@"; }

# Completes an interrupted installation.
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

# --no-remove keeps a containerd or Docker from another source. busybox-static has to replace busybox.
status=0
[ -z "$packages" ] || get --no-remove install $packages || status=$?
[ -z "$replacing" ] || get install $replacing || status=$?

for unit in $disabled; do systemctl disable --quiet $unit 2> /dev/null; done
exit $status
