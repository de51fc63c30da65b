import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";

import { fieldManagerAnnotation } from "../kubernetes/fieldManager";

/** Arguments of one of the `PullSecrets`. */
export interface PullSecretArgs {
    namespace: string;
    name: string;
    user: string;
    password: pulumi.Output<string>;
    /** The host names by which the user may pull. */
    hosts: pulumi.Input<string>[];
}

/** The Secrets with which Pods pull from the registry, in the namespaces of those Pods. */
export class PullSecrets extends pulumi.ComponentResource {
    readonly secrets: kubernetes.core.v1.Secret[];

    constructor(name: string, args: PullSecretArgs[], opts?: pulumi.ComponentResourceOptions) {
        super("homelab-registry:index:PullSecrets", name, {}, opts);
        this.secrets = args.map((pullSecret) => {
            const { namespace, name } = pullSecret;
            // A fixed name, because Pods refer to it.
            const metadata = { name, namespace, annotations: fieldManagerAnnotation };
            const stringData = { ".dockerconfigjson": renderDockerConfig(pullSecret) };
            const secret = { metadata, type: "kubernetes.io/dockerconfigjson", stringData };
            return new kubernetes.core.v1.Secret(`${namespace}/${name}`, secret, { parent: this });
        });
        this.registerOutputs({});
    }
}

function renderDockerConfig({ user, password, hosts }: PullSecretArgs): pulumi.Output<string> {
    const config = pulumi.all([pulumi.all(hosts), password]).apply(([hosts, password]) => {
        const auth = Buffer.from(`${user}:${password}`).toString("base64");
        return JSON.stringify({ auths: Object.fromEntries(hosts.map((host) => [host, { auth }])) });
    });
    return pulumi.secret(config);
}
