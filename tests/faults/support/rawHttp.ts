import * as fs from "node:fs";
import * as net from "node:net";
import * as tls from "node:tls";

/** Where requests are sent: to the pod, or to the ingress controller. */
export interface Target {
    host: string;
    port: number;
    isSecure: boolean;
}

/** A request that is sent as it is, valid or not. */
export interface RawRequest {
    method: string;
    path: string;
    headers?: Record<string, string>;
    body?: string | Buffer;
    /** Close the connection after this many bytes of the body. */
    abandonAt?: number;
}

/** Status of an answer, 0 if the connection ended without one, and its `Location` header. */
export interface RawAnswer {
    status: number;
    location?: string;
}

const authorities = () => fs.readFileSync(process.env.SSL_CERT_FILE!);

/** Sends a request, valid or not, on its own connection. */
export function send(
    { host, port, isSecure }: Target,
    { method, path, headers, body = "", abandonAt }: RawRequest,
): Promise<RawAnswer> {
    return new Promise((resolve) => {
        const socket = isSecure
            ? tls.connect({ host, port, servername: host, ca: authorities() })
            : net.connect({ host, port });
        const bytes = Buffer.from(body);
        const lines = Object.entries({
            Host: host,
            Connection: "close",
            ...(bytes.length > 0 || ["POST", "PUT", "PATCH"].includes(method)
                ? { "Content-Length": String(bytes.length) }
                : {}),
            ...headers,
        }).map(([name, value]) => `${name}: ${value}\r\n`);
        let answer = "";
        socket.setTimeout(30_000, () => socket.destroy());
        socket.on("data", (chunk: Buffer) => (answer += chunk.toString("latin1")));
        // The server may close the connection while the request is still being sent.
        socket.on("error", () => undefined);
        socket.on("close", () =>
            resolve({
                status: Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? 0),
                location: /^location: (.*)\r$/im.exec(answer)?.[1],
            }),
        );
        socket.write(
            Buffer.concat([
                Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n`, "latin1"),
                bytes.subarray(0, abandonAt ?? bytes.length),
            ]),
            () => abandonAt !== undefined && socket.destroy(),
        );
    });
}
