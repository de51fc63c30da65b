/** The DNS name of `name:port`, or of a name alone. */
export const withoutPort = (host: string) => host.replace(/:\d+$/, "");

/** Whether a host is the machine that asks for it; in a pod, the pod itself. */
export const isLoopback = (host: string) => /^(localhost|127\.[\d.]+|\[::1\])$/i.test(host);

/** The host and port of `host:port`, or of `[host]:port`. If the text has another form: an empty host, and NaN. */
export function parseHostPort(address: string): { host: string; port: number } {
    const [, host = "", port] = /^\[?(.*?)\]?:(\d+)$/.exec(address) ?? [];
    return { host, port: Number(port) };
}
