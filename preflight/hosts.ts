import * as dns from "node:dns/promises";

import { withoutPort } from "../components/hostPort";
import { PlainArgs } from "../config";
import { hasProxy } from "./connection";
import { Finding, warning } from "./finding";

/** Warns of each host that this machine cannot resolve. Its DNS record may follow. */
export async function checkHosts({ host, pullHost, anonymousPullHost, bucket, mirrors = [] }: PlainArgs) {
    // Behind a proxy, this machine may not resolve any name.
    if (hasProxy()) {
        return [];
    }
    const { redirectEndpoint } = bucket;
    const bucketRedirectEndpoint = redirectEndpoint && new URL(redirectEndpoint).hostname;
    const hosts = Object.entries({ host, pullHost, anonymousPullHost, bucketRedirectEndpoint });
    hosts.push(...mirrors.map((mirror, i): [string, typeof host] => [`mirrors[${i}].host`, mirror.host]));
    const named = hosts.filter((entry): entry is [string, string] => entry[1] !== undefined);
    return (await Promise.all(named.map(([key, host]) => checkHost(key, host)))).flat();
}

async function checkHost(key: string, host: string): Promise<Finding[]> {
    try {
        await dns.lookup(withoutPort(host));
        return [];
    } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        const fix = "Add a DNS record for it, which clients and the cluster's nodes need.";
        return [warning(`${key}: this machine cannot resolve "${host}" (${code}). ${fix}`)];
    }
}
