import { setTimeout as sleep } from "node:timers/promises";

import { attempt } from "../../e2e/support/run";
import { Client } from "../../e2e/support/traffic";

/** An answer of a registry, when its request was sent, and when it came. */
export interface Answer {
    began: number;
    ended: number;
    what: string;
    /** HTTP status, or "000" without an answer. */
    status: string;
}

/**
 * Sends each request to a registry about twice a second while a change is made.
 *
 * @param requests path and curl options of each request
 */
export async function pollDuring(
    client: Client,
    requests: string[][],
    change: () => Promise<unknown>,
): Promise<Answer[]> {
    const answers: Answer[] = [];
    let isOver = false;
    const ask = async ([path, ...options]: string[]) => {
        while (!isOver) {
            const began = Date.now();
            const { stdout: status } = await attempt("curl", [
                "--silent",
                "--max-time",
                "20",
                "--output",
                "/dev/null",
                "--write-out",
                "%{http_code}",
                "--user",
                `${client.user}:${client.password}`,
                "--header",
                "Accept: application/vnd.oci.image.manifest.v1+json",
                ...options,
                `https://${client.host}/v2/${path}`,
            ]);
            answers.push({ began, ended: Date.now(), what: [...options, path!].join(" "), status });
            await sleep(500);
        }
    };
    const asking = Promise.all(requests.map(ask));
    try {
        await change();
    } finally {
        isOver = true;
        await asking;
    }
    return answers;
}

/** Counts the answers by status and request. */
export function summary(answers: Answer[]): string[] {
    const counts = new Map<string, number>();
    for (const { what, status } of answers) {
        counts.set(`${status} ${what}`, (counts.get(`${status} ${what}`) ?? 0) + 1);
    }
    return [...counts].map(([answer, count]) => `${count} × ${answer}`).sort();
}
