import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";

import { fieldManagerAnnotation } from "../kubernetes/fieldManager";
import { PullSecret } from "./args";

/** What a pull secret is made of, beside the password of its user the names under which that user may pull. */
export interface PullSecretArgs extends Required<PullSecret> {
    password: pulumi.Output<string>;
    hosts: pulumi.Input<string>[];
}

/** The Secrets by which Pods pull from the registry, in the namespaces where they are needed. */
export class PullSecrets extends pulumi.ComponentResource {
    readonly secrets: kubernetes.core.v1.Secret[];

    constructor(name: string, args: PullSecretArgs[], opts?: pulumi.ComponentResourceOptions) {
        super("homelab-registry:index:PullSecrets", name, {}, opts);

        this.secrets = args.map(
            (pullSecret) =>
                new kubernetes.core.v1.Secret(
                    `${pullSecret.namespace}/${pullSecret.name}`,
                    {
                        // A name that stays, as Pods refer to it.
                        metadata: {
                            name: pullSecret.name,
                            namespace: pullSecret.namespace,
                            annotations: fieldManagerAnnotation,
                        },
                        type: "kubernetes.io/dockerconfigjson",
                        stringData: {
                            ".dockerconfigjson": pulumi.secret(
                                pulumi
                                    .all([pulumi.all(pullSecret.hosts), pullSecret.password])
                                    .apply(([hosts, password]) => {
                                        const auth = Buffer.from(`${pullSecret.user}:${password}`).toString("base64");
                                        return JSON.stringify({
                                            auths: Object.fromEntries(hosts.map((host) => [host, { auth }])),
                                        });
                                    }),
                            ),
                        },
                    },
                    { parent: this },
                ),
        );
        this.registerOutputs({});
    }
}
