import * as kubernetes from "@pulumi/kubernetes";
import * as minio from "@pulumi/minio";
import * as pulumi from "@pulumi/pulumi";

import { ContainerRegistry } from "./components/containerRegistry";
import { readStackConfiguration, registryName } from "./config";
import { runPreflight } from "./preflight";

export = async () => {
    const configuration = readStackConfiguration();
    await runPreflight(configuration);

    const providers: Record<string, pulumi.ProviderResource> = {
        kubernetes: new kubernetes.Provider("homelab", {
            // Without it, the state gets the path in KUBECONFIG, and a preview on another machine shows a change.
            kubeconfig: "",
            context: configuration.kubeContext,
            // A user added or changed reaches the running pods: no new Secret, no rollout.
            enableSecretMutable: true,
        }),
    };
    if (configuration.minio) {
        providers.minio = new minio.Provider("homelab", {
            minioServer: configuration.minio.server,
            minioSsl: configuration.minio.secure,
            minioCacertFile: configuration.minio.caFile,
            minioRegion: configuration.minio.region,
            minioUser: configuration.minio.user,
            minioPassword: configuration.minio.password,
        });
    }

    const registry = new ContainerRegistry(registryName, configuration.registry, { providers });

    return {
        url: registry.url,
        host: registry.host,
        namespace: registry.namespaceName,
        bucket: registry.bucketName,
        users: registry.userNames,
        passwords: registry.passwords,
        loginCommand: registry.loginCommand,
    };
};
