import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";

const registry = new pulumi.StackReference(new pulumi.Config().require("registryStack"));
const host = registry.requireOutput("host") as pulumi.Output<string>;
// This output is a secret in the other stack, so it is a secret here too.
const passwords = registry.requireOutput("passwords") as pulumi.Output<Record<string, string>>;

const namespace = new kubernetes.core.v1.Namespace("hello", { metadata: { name: "hello" } }).metadata.name;

const pullSecret = new kubernetes.core.v1.Secret("pull", {
    metadata: { namespace },
    type: "kubernetes.io/dockerconfigjson",
    stringData: {
        ".dockerconfigjson": pulumi
            .all([host, passwords])
            .apply(([host, { cluster }]) =>
                JSON.stringify({ auths: { [host]: { username: "cluster", password: cluster } } }),
            ),
    },
});

const labels = { app: "hello" };
new kubernetes.apps.v1.Deployment("hello", {
    metadata: { namespace },
    spec: {
        selector: { matchLabels: labels },
        template: {
            metadata: { labels },
            spec: {
                terminationGracePeriodSeconds: 1,
                imagePullSecrets: [{ name: pullSecret.metadata.name }],
                containers: [
                    { name: "hello", image: pulumi.interpolate`${host}/hello:1`, command: ["sleep", "infinity"] },
                ],
            },
        },
    },
});
