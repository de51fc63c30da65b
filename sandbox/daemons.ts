import * as fs from "node:fs";
import * as path from "node:path";

import { stringify } from "yaml";

import { pki } from "./certificates";
import {
    clusterDomain,
    dnsServiceAddress,
    inState,
    type Node,
    nodeAddress,
    nodes,
    podRange,
    serviceRange,
} from "./paths";

/** The parent of all control groups of the sandbox. */
export const cgroup = "homelab-sandbox";

/** The parent of the control groups of a node's pods. A kubelet deletes unknown groups, so each node has its own. */
export const nodeCgroup = ({ name }: Node) => `${cgroup}/${name}`;

/** The image of the container that holds a pod's namespaces. */
export const pauseImage = "localhost/pause:sandbox";

/** The socket of a node's containerd. */
export const containerdSocket = ({ suffix }: Node) => `/run/containerd${suffix}/containerd.sock`;

/** Daemons by name: the command of each one, and its configuration files. */
type Daemons = Record<string, { command: string[]; files?: Record<string, string> }>;

/** The containerd of a node. */
const containerd = (node: Node): Daemons => ({
    [`containerd${node.suffix}`]: {
        command: ["containerd", `--config=/etc/containerd/config${node.suffix}.toml`, "--log-level=warn"],
        files: {
            [`/etc/containerd/config${node.suffix}.toml`]: `
version = 2
root = "/var/lib/containerd${node.suffix}"
state = "/run/containerd${node.suffix}"
[grpc]
address = "${containerdSocket(node)}"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "${pauseImage}"
# Some virtual machines lack CAP_SYS_RESOURCE. Without this setting, no container would start there.
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "/etc/cni/net.d${node.suffix}"
[plugins."io.containerd.grpc.v1.cri".registry]
config_path = "/etc/containerd/certs.d"
`,
            [`/etc/cni/net.d${node.suffix}/10-pods.conflist`]: JSON.stringify({
                cniVersion: "0.4.0",
                name: `pods${node.suffix}`,
                plugins: [
                    {
                        type: "ptp",
                        ipMasq: false,
                        ipam: { type: "host-local", ranges: [[{ subnet: node.pods }]], routes: [{ dst: "0.0.0.0/0" }] },
                    },
                    { type: "portmap", capabilities: { portMappings: true } },
                ],
            }),
        },
    },
});

/** The kubelet of a node. */
const kubelet = (node: Node): Daemons => ({
    [`kubelet${node.suffix}`]: {
        command: [
            "kubelet",
            `--config=/etc/kubernetes/kubelet${node.suffix}.yaml`,
            `--kubeconfig=${pki(`kubelet${node.suffix}.kubeconfig`)}`,
            `--root-dir=/var/lib/kubelet${node.suffix}`,
            `--hostname-override=${node.name}`,
            `--node-ip=${node.address}`,
        ],
        files: {
            [`/etc/kubernetes/kubelet${node.suffix}.yaml`]: stringify({
                apiVersion: "kubelet.config.k8s.io/v1beta1",
                kind: "KubeletConfiguration",
                address: node.address,
                healthzBindAddress: node.address,
                containerRuntimeEndpoint: `unix://${containerdSocket(node)}`,
                podLogsDir: `/var/log/pods${node.suffix}`,
                cgroupDriver: "cgroupfs",
                cgroupRoot: `/${nodeCgroup(node)}`,
                failCgroupV1: false,
                failSwapOn: false,
                clusterDNS: [dnsServiceAddress],
                clusterDomain,
                // The node's resolver uses the cluster's DNS. Empty keeps the cluster's DNS from asking itself.
                resolvConf: "",
                authentication: {
                    anonymous: { enabled: false },
                    webhook: { enabled: false },
                    x509: { clientCAFile: pki("ca.crt") },
                },
                authorization: { mode: "AlwaysAllow" },
                tlsCertFile: pki(`kubelet${node.suffix}.crt`),
                tlsPrivateKeyFile: pki(`kubelet${node.suffix}.key`),
                volumePluginDir: `/var/lib/kubelet${node.suffix}/volume-plugins`,
                // Pods see a changed Secret or ConfigMap within seconds. Kubernetes' default is one minute, with which
                // most of a test run would be waiting; tests/e2e/exclusive/kubeletPace.test.ts restores it for a while.
                syncFrequency: "4s",
                // A disk that is full is no reason to throw away images that nothing here can fetch again: 0% is never.
                imageGCHighThresholdPercent: 100,
                evictionHard: {
                    "memory.available": "100Mi",
                    "nodefs.available": "0%",
                    "imagefs.available": "0%",
                    "nodefs.inodesFree": "0%",
                    "imagefs.inodesFree": "0%",
                },
            }),
        },
    },
});

/** All daemons in the guest. */
const daemons: Daemons = {
    etcd: {
        command: ["etcd", "--data-dir=/var/lib/etcd", "--listen-peer-urls=", "--log-level=warn", "--unsafe-no-fsync"],
    },
    "kube-apiserver": {
        command: [
            "kube-apiserver",
            "--etcd-servers=http://127.0.0.1:2379",
            `--advertise-address=${nodeAddress}`,
            `--service-cluster-ip-range=${serviceRange}`,
            "--allow-privileged",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            `--client-ca-file=${pki("ca.crt")}`,
            `--tls-cert-file=${pki("kube-apiserver.crt")}`,
            `--tls-private-key-file=${pki("kube-apiserver.key")}`,
            `--kubelet-certificate-authority=${pki("ca.crt")}`,
            `--kubelet-client-certificate=${pki("kubelet-client.crt")}`,
            `--kubelet-client-key=${pki("kubelet-client.key")}`,
            "--kubelet-preferred-address-types=InternalIP",
            `--service-account-issuer=https://kubernetes.default.svc.${clusterDomain}`,
            `--service-account-key-file=${pki("service-accounts.key")}`,
            `--service-account-signing-key-file=${pki("service-accounts.key")}`,
        ],
    },
    "kube-controller-manager": {
        command: [
            "kube-controller-manager",
            `--kubeconfig=${pki("kube-controller-manager.kubeconfig")}`,
            "--leader-elect=false",
            "--use-service-account-credentials",
            `--root-ca-file=${pki("ca.crt")}`,
            `--service-account-private-key-file=${pki("service-accounts.key")}`,
        ],
    },
    "kube-scheduler": {
        command: ["kube-scheduler", `--kubeconfig=${pki("kube-scheduler.kubeconfig")}`, "--leader-elect=false"],
    },
    ...(Object.assign({}, ...nodes.flatMap((node) => [containerd(node), kubelet(node)])) as Daemons),
    "kube-proxy": {
        command: ["kube-proxy", "--config=/etc/kubernetes/kube-proxy.yaml", "--hostname-override=homelab"],
        files: {
            "/etc/kubernetes/kube-proxy.yaml": stringify({
                apiVersion: "kubeproxy.config.k8s.io/v1alpha1",
                kind: "KubeProxyConfiguration",
                mode: "nftables",
                clusterCIDR: podRange,
                // This single kube-proxy serves all nodes, but detects only the first node's pods.
                // Without this, other pods could not reach themselves through a Service.
                nftables: { masqueradeAll: true },
                clientConnection: { kubeconfig: pki("kube-proxy.kubeconfig") },
                // 0 leaves these limits as they are, because they apply to the whole machine.
                conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: "0s", tcpCloseWaitTimeout: "0s" },
            }),
        },
    },
    dockerd: {
        command: [
            "dockerd",
            "--host=unix:///run/docker.sock",
            "--iptables=false",
            "--ip6tables=false",
            "--bridge=none",
            `--cgroup-parent=/${cgroup}/docker`,
            "--log-level=warn",
        ],
    },
};
export const daemonNames = Object.keys(daemons);

/** The folder of a daemon's service for s6. */
export const serviceFolder = (name: string) => inState("services", name);

/** Writes an s6 service for each daemon, and the configuration files for the guest's /etc. */
export function writeServices(): void {
    for (const [name, { command, files = {} }] of Object.entries(daemons)) {
        const script = (lines: string[]) => ["#!/bin/sh", ...lines, ""].join("\n");
        const write = (file: string, content: string, mode: number) => {
            fs.mkdirSync(path.dirname(file), { recursive: true });
            fs.writeFileSync(file, content, { mode });
        };
        write(path.join(serviceFolder(name), "run"), script(["exec 2>&1", `exec ${command.join(" ")}`]), 0o755);
        write(
            path.join(serviceFolder(name), "log", "run"),
            script([`exec s6-log -b n3 s1000000 T /var/log/${name}`]),
            0o755,
        );
        for (const [file, content] of Object.entries(files)) {
            write(inState("root", file), content, 0o644);
        }
    }
}
