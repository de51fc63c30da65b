import * as https from "node:https";

import { Client } from "../../e2e/support/traffic";

/** What a registry answers. */
export interface Answer {
    status?: number;
    location?: string;
}

/**
 * Sends a request with a login and without a body, on a connection of the agent.
 *
 * @param entrance the name in the request, if it is another one than that of the client's host and its certificate
 */
export function send(
    agent: https.Agent,
    { host, user, password }: Client,
    method: string,
    path: string,
    entrance = host,
): Promise<Answer> {
    return new Promise((resolve, reject) => {
        const headers = { Host: entrance, "Content-Length": 0 };
        https
            .request(
                { agent, method, host, servername: host, path, auth: `${user}:${password}`, headers },
                (response) => {
                    const { statusCode: status, headers } = response;
                    response.resume().on("end", () => resolve({ status, location: headers.location }));
                },
            )
            .on("error", reject)
            .end();
    });
}
