import * as path from "node:path";

/** Keeps the logins of docker and skopeo in a folder of the file's own. Files that run at the same time share one. */
export function useOwnLogins(folder: string): void {
    const own = { DOCKER_CONFIG: folder, REGISTRY_AUTH_FILE: path.join(folder, "config.json") };
    const { DOCKER_CONFIG, REGISTRY_AUTH_FILE } = process.env;
    before(() => void Object.assign(process.env, own));
    after(() => void Object.assign(process.env, { DOCKER_CONFIG, REGISTRY_AUTH_FILE }));
}
