import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";

import { ContainerRegistryArgs, Settings, withDefaults } from "./args";
import { Exposure } from "./exposure";
import { htpasswdFile, Logins } from "./logins";
import { renderRegistryConfig } from "./registryConfig";
import { Storage } from "./storage";
import { findProblems } from "./validate";
import { Workload } from "./workload";

const authFolder = "/auth";

/**
 * A private container registry: the CNCF distribution registry, its images in a Minio bucket, logins by htpasswd, behind
 * an Ingress with a certificate.
 *
 * Takes a kubernetes and a minio provider by `providers`. The kubernetes provider should have `enableSecretMutable` set:
 * then a change of the users reaches the running pods; without it, the pods roll.
 *
 * @example
 * new ContainerRegistry("registry", {
 *     host: "docker.registry.example.com",
 *     users: [{ name: "ci" }],
 *     bucket: { name: "container-repo", endpoint: "minio-svc.minio.svc.homelab-k8s:9000" },
 *     ingress: { className: "nginx", clusterIssuer: "letsencrypt-prod" },
 * }, { providers: { kubernetes, minio } });
 *
 * @throws pulumi.ResourceError with everything that is wrong with the arguments, before anything is created
 */
export class ContainerRegistry extends pulumi.ComponentResource {
    /** Where the registry answers. Example: `https://docker.registry.example.com`. */
    readonly url: pulumi.Output<string>;
    readonly host: pulumi.Output<string>;
    readonly namespaceName: pulumi.Output<string>;
    readonly bucketName: pulumi.Output<string>;
    readonly userNames: string[];
    /** Each user's password, secret. Example: `{ ci: "…" }`. */
    readonly passwords: pulumi.Output<Record<string, string>>;
    /** The command that logs the first user in; it asks for the password. */
    readonly loginCommand: pulumi.Output<string>;

    readonly namespace: kubernetes.core.v1.Namespace;
    readonly storage: Storage;
    readonly logins: Logins;
    readonly workload: Workload;
    readonly exposure: Exposure;

    constructor(name: string, args: ContainerRegistryArgs, opts?: pulumi.ComponentResourceOptions) {
        // No arguments here: they would be kept in the state, passwords included.
        super("homelab-registry:index:ContainerRegistry", name, {}, opts);
        const parent = this;
        const { users } = args;
        const settings = this.checked(name, args);

        this.namespace = new kubernetes.core.v1.Namespace(name, {
            metadata: { name: settings.namespace, labels: { "pod-security.kubernetes.io/enforce": "restricted" } },
        }, { parent });
        const namespace = this.namespace.metadata.name;

        this.storage = new Storage(name, { bucketName: settings.bucket.name }, { parent });
        this.logins = new Logins(name, { namespace, users }, { parent });

        const httpSecret = new random.RandomPassword(`${name}-http-secret`, { length: 64, special: false }, { parent });
        const { accessKey, secretKey } = this.storage;
        this.workload = new Workload(name, {
            namespace,
            image: settings.image,
            replicas: settings.replicas,
            // Not lifted: an Output has a member of that name itself.
            resources: settings.apply(({ resources }) => resources),
            config: pulumi.secret(pulumi.all([settings, accessKey, secretKey, httpSecret.result])
                .apply(([settings, accessKey, secretKey, httpSecret]) => renderRegistryConfig({
                    ...settings,
                    httpSecret,
                    htpasswdPath: `${authFolder}/${htpasswdFile}`,
                    bucket: { ...settings.bucket, accessKey, secretKey },
                }))),
            auth: { secretName: this.logins.secret.metadata.name, folder: authFolder },
        }, { parent });

        this.exposure = new Exposure(name, {
            namespace,
            host: settings.host,
            className: settings.ingress.className,
            clusterIssuer: settings.ingress.clusterIssuer,
            annotations: settings.ingress.annotations,
            service: this.workload.serviceRef,
        }, { parent });

        this.host = settings.host;
        this.url = pulumi.interpolate`https://${this.host}`;
        this.namespaceName = namespace;
        this.bucketName = this.storage.bucket.bucket;
        this.userNames = users.map((user) => user.name);
        this.passwords = this.logins.passwords;
        this.loginCommand = pulumi.interpolate`docker login ${this.host} --username ${this.userNames[0]}`;
        this.registerOutputs({ url: this.url, bucketName: this.bucketName });
    }

    /** The settings, once nothing is wrong with them; all children hang on them. What is known now is checked now. */
    private checked(name: string, args: ContainerRegistryArgs): pulumi.Output<Settings> {
        const settings = withDefaults(name, args);
        const check = (known: typeof settings) => {
            const problems = findProblems(name, known, args.users);
            if (problems.length > 0) {
                throw new pulumi.ResourceError(
                    ["The arguments of this registry need a change:", ...problems].join("\n  - "), this, true);
            }
        };
        check(settings);
        return pulumi.output(settings).apply((settings) => {
            check(settings);
            return settings;
        });
    }
}
