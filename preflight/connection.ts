import * as net from "node:net";

import { parseHostPort } from "../components/hostPort";

/** Milliseconds in which a server must accept a connection, or respond. */
export const responseTimeout = 5000;

/** Whether the providers use a proxy. Then this machine may not reach the addresses itself. */
export const hasProxy = () => Boolean(process.env.HTTPS_PROXY || process.env.https_proxy);

/** Connects to an address. Resolves to why that failed, or to undefined. */
export function tryToConnect(address: string): Promise<string | undefined> {
    return new Promise((resolve) => {
        const socket = net.connect(parseHostPort(address));
        const end = (reason?: string) => {
            socket.destroy();
            resolve(reason);
        };
        socket.setTimeout(responseTimeout, () => end(`no connection within ${responseTimeout / 1000} s`));
        socket.once("connect", () => end());
        socket.once("error", (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
    });
}
