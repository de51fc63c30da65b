import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";

import { PullSecret } from "./args";
import { owner } from "./owner";

/** What pull secrets are made of. */
export interface PullSecretsArgs {
    host: pulumi.Input<string>;
    /** Each one, with the password of its user. */
    pullSecrets: (Required<PullSecret> & { password: pulumi.Output<string> })[];
}

/** The Secrets by which Pods pull from the registry, in the namespaces where they are needed. */
export class PullSecrets extends pulumi.ComponentResource {
    readonly secrets: kubernetes.core.v1.Secret[];

    constructor(name: string, args: PullSecretsArgs, opts?: pulumi.ComponentResourceOptions) {
        super("homelab-registry:index:PullSecrets", name, {}, opts);

        this.secrets = args.pullSecrets.map((pullSecret) => new kubernetes.core.v1.Secret(`${pullSecret.namespace}/${pullSecret.name}`, {
            // A name that stays, as Pods refer to it.
            metadata: { name: pullSecret.name, namespace: pullSecret.namespace, annotations: owner },
            type: "kubernetes.io/dockerconfigjson",
            stringData: {
                ".dockerconfigjson": pulumi.secret(pulumi.all([args.host, pullSecret.password]).apply(([host, password]) =>
                    JSON.stringify({ auths: { [host]: { auth: Buffer.from(`${pullSecret.user}:${password}`).toString("base64") } } }))),
            },
        }, { parent: this }));
        this.registerOutputs({});
    }
}
