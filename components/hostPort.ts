/** The host and port of `host:port`, or of `[host]:port`. The host is empty if the text has another form. */
export function parseHostPort(address: string): { host: string; port: number } {
    const [, host = "", port] = /^\[?(.*?)\]?:(\d+)$/.exec(address) ?? [];
    return { host, port: Number(port) };
}
