import { ChildProcess, spawn } from "node:child_process";
import { createInterface, Interface } from "node:readline";

import { minio, minioRoot } from "./sandbox";

/** A request that MinIO answered. */
export interface MinioRequest {
    host: string;
    method: string;
    path: string;
    status: number;
    /** The header, if the client sent one. */
    authorization?: string;
}

/** Records the requests that the sandbox's MinIO answers. */
export class MinioTrace {
    readonly requests: MinioRequest[] = [];
    private curl: ChildProcess | undefined;
    private lines: Interface | undefined;

    /** Returns once MinIO reports its requests. */
    async start(): Promise<void> {
        const { user, password } = await minioRoot();
        const curl = spawn(
            "curl",
            [
                ...["--silent", "--no-buffer", "--aws-sigv4", "aws:amz:us-east-1:s3", "--user", `${user}:${password}`],
                ...["--header", "x-amz-content-sha256: UNSIGNED-PAYLOAD"],
                `http://${minio}/minio/admin/v3/trace?s3=true`,
            ],
            { stdio: ["ignore", "pipe", "inherit"] },
        );
        this.curl = curl;
        this.lines = createInterface(curl.stdout).on("line", (line) => this.record(line));
        // MinIO sends a blank each second.
        await new Promise((resolve, reject) => {
            curl.stdout.once("data", resolve);
            curl.once("exit", (code) => reject(new Error(`MinIO reports no requests: curl exited with ${code}`)));
        });
    }

    stop(): void {
        // First: otherwise the end of a line that was cut off would count as a line.
        this.lines?.close();
        this.curl?.kill();
    }

    private record(line: string): void {
        interface Event {
            path: string;
            http: {
                request: { method: string; headers: Partial<Record<string, string[]>> };
                response: { statuscode: number };
            };
        }
        const { path, http } = JSON.parse(line) as Event;
        const { method, headers } = http.request;
        const [host = ""] = headers.Host ?? [];
        const [authorization] = headers.Authorization ?? [];
        this.requests.push({ host, method, path, status: http.response.statuscode, authorization });
    }
}
