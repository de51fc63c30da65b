import { randomBytes } from "node:crypto";
import * as http from "node:http";
import { AddressInfo } from "node:net";

import { nodeAddress } from "../../../sandbox/paths";

/** A registry in front of another one. It has a login server that hands out tokens, as Docker Hub has. */
export class TokenRegistry {
    private readonly token = randomBytes(16).toString("hex");
    private readonly server = http.createServer((request, response) => this.respond(request, response));

    /**
     * @param loginHost host of the login server; each host of the sandbox resolves to the first node
     * @param behind URL of the other registry
     * @param login `user:password`, for both
     */
    constructor(
        private readonly loginHost: string,
        private readonly behind: string,
        private readonly login: string,
    ) {}

    start = () => new Promise<void>((resolve) => this.server.listen(0, nodeAddress, resolve));

    stop(): void {
        this.server.close();
        this.server.closeAllConnections();
    }

    url = (host: string) => `http://${host}:${(this.server.address() as AddressInfo).port}`;

    private respond({ url = "", method, headers }: http.IncomingMessage, response: http.ServerResponse): void {
        const basic = `Basic ${Buffer.from(this.login).toString("base64")}`;
        if (url.startsWith("/token?") && headers.authorization === basic) {
            response.end(JSON.stringify({ token: this.token }));
        } else if (headers.authorization === `Bearer ${this.token}`) {
            const options = { method, headers: { ...headers, authorization: basic } };
            http.request(`${this.behind}${url}`, options, (answer) => {
                response.writeHead(answer.statusCode!, answer.headers);
                answer.pipe(response);
            })
                .on("error", () => response.writeHead(502).end())
                .end();
        } else {
            const realm = `${this.url(this.loginHost)}/token`;
            response.writeHead(401, { "www-authenticate": `Bearer realm="${realm}",service="test"` }).end();
        }
    }
}
