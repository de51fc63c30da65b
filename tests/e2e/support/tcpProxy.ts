import * as net from "node:net";

/** A local port that forwards to an address until it is closed. */
export class TcpProxy {
    private server: net.Server | undefined;
    private port = 0;
    private readonly host: string;
    private readonly targetPort: number;

    constructor(target: string) {
        const [host, port] = target.split(":") as [string, string];
        this.host = host;
        this.targetPort = Number(port);
    }

    get address() {
        return `127.0.0.1:${this.port}`;
    }

    async open(): Promise<void> {
        if (this.server) {
            return;
        }
        const server = net.createServer((client) => {
            const there = net.connect(this.targetPort, this.host);
            for (const [from, to] of [
                [client, there],
                [there, client],
            ] as const) {
                from.on("error", () => to.destroy()).on("close", () => to.destroy());
                from.pipe(to);
            }
        });
        await new Promise<void>((resolve) => server.listen(this.port, "127.0.0.1", resolve));
        this.port = (server.address() as net.AddressInfo).port;
        this.server = server;
    }

    async close(): Promise<void> {
        const server = this.server;
        this.server = undefined;
        await new Promise((resolve) => (server ? server.close(resolve) : resolve(undefined)));
    }
}
