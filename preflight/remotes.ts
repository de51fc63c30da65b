import { PlainArgs } from "../config";
import { hasProxy, responseTimeout } from "./connection";
import { Finding, warning } from "./finding";

/** Warns of each pull-through cache of a registry whose login server distribution refuses. */
export async function checkRemotes({ mirrors = [] }: PlainArgs): Promise<Finding[]> {
    const remotes = hasProxy() ? [] : mirrors.map(({ remote }) => remote);
    return (await Promise.all(remotes.map((remote, i) => checkRemote(`mirrors[${i}].remote`, remote)))).flat();
}

async function checkRemote(key: string, remote: string): Promise<Finding[]> {
    // This machine may not reach what the cluster reaches, or not trust its certificate.
    const signal = AbortSignal.timeout(responseTimeout);
    const response = await fetch(`${remote}/v2/`, { signal }).catch(() => undefined);
    await response?.body?.cancel();
    const challenge = response?.headers.get("www-authenticate") ?? "";
    const [, realm = ""] = /^bearer .*?realm="([^"]*)"/i.exec(challenge) ?? [];
    if (!URL.canParse(realm) || mayTrust(new URL(remote), new URL(realm))) {
        return [];
    }
    const problem = `"${remote}" has its logins at ${realm}, which is another domain. distribution refuses that`;
    return [warning(`${key}: ${problem} (distribution#4947), and probably nothing can be pulled.`)];
}

/**
 * Whether distribution may send a login to a server, by its rule: the same host and port, or the same registrable
 * domain, but not for addresses. That domain has at least two labels. This knows no list of public suffixes.
 */
export function mayTrust(remote: URL, realm: URL): boolean {
    const isLocal = ({ hostname }: URL) => /^localhost$|^[\d.]+$|^\[/.test(hostname);
    const domain = ({ hostname }: URL) => hostname.split(".").slice(-2).join(".");
    return remote.host === realm.host || (!isLocal(remote) && !isLocal(realm) && domain(remote) === domain(realm));
}
