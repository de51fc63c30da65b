import * as kubernetes from "@pulumi/kubernetes";
import * as minio from "@pulumi/minio";
import * as pulumi from "@pulumi/pulumi";

import { ContainerRegistry } from "./components/containerRegistry";
import { readSite } from "./config";
import { checkChange, checkReach } from "./preflight";

export = async () => {
    const name = "registry";
    const site = readSite(name);
    await checkChange(site);
    await checkReach(site);

    const providers: Record<string, pulumi.ProviderResource> = {
        kubernetes: new kubernetes.Provider("homelab", {
            // Not the path that KUBECONFIG happens to have here, which would be a change from the next machine.
            kubeconfig: "",
            context: site.kubeContext,
            // A user added or changed reaches the running pods: no new Secret, no rollout.
            enableSecretMutable: true,
        }),
    };
    if (site.minio) {
        providers.minio = new minio.Provider("homelab", {
            minioServer: site.minio.server,
            minioSsl: site.minio.secure,
            minioCacertFile: site.minio.caFile,
            minioRegion: site.minio.region,
            minioUser: site.minio.user,
            minioPassword: site.minio.password,
        });
    }

    const registry = new ContainerRegistry(name, site.registry, { providers });

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
