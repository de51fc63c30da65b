/** Host and port of `host:port`, or of `[host]:port`; what does not have that form has no host. */
export function parseHostPort(address: string): { host?: string; port: number } {
    const [, host, port] = /^\[?(.*?)\]?:(\d+)$/.exec(address) ?? [];
    return { host, port: Number(port) };
}
