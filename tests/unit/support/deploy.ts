import * as pulumi from "@pulumi/pulumi";

// Not in Pulumi's types.
// eslint-disable-next-line @typescript-eslint/no-require-imports
const { leakedPromises } = require("@pulumi/pulumi/runtime/debuggable") as { leakedPromises: () => unknown };

/** A resource as the engine is asked for it. Secrets in `inputs` are {@link Secret}s. */
export interface Registered {
    type: string;
    name: string;
    // Inputs have whatever shape the resource's type has.
    // eslint-disable-next-line @typescript-eslint/no-explicit-any
    inputs: any;
    opts: pulumi.CustomResourceOptions;
}

/** Marks an input that the engine keeps secret. */
export class Secret {
    constructor(readonly value: unknown) {}
}

/** What the providers would compute, by type and name: the same each time. */
function outputsOf(type: string, name: string, inputs: Record<string, unknown>): Record<string, unknown> {
    switch (type) {
        case "random:index/randomPassword:RandomPassword":
            return {
                ...inputs,
                result: name
                    .replace(/[^A-Za-z0-9]/g, "")
                    .padEnd(inputs.length as number, "x")
                    .slice(0, inputs.length as number),
            };
        case "minio:index/iamServiceAccount:IamServiceAccount":
            return { ...inputs, accessKey: "ACCESSKEY", secretKey: "SECRETKEY" };
        case "kubernetes:core/v1:Secret":
            // Named by Pulumi, as the real provider does.
            return { ...inputs, metadata: { name: `${name}-1a2b3c`, ...(inputs.metadata as object) } };
        default:
            return inputs;
    }
}

/** Runs a program against Pulumi's mocks; gives back what it registered, in the order of their names, and its outputs. */
export async function deploy<T extends object>(program: () => Promise<T> | T, { preview = false } = {}) {
    const registered: Registered[] = [];
    const options = new Map<string, pulumi.CustomResourceOptions>();
    await pulumi.runtime.setMocks(
        {
            newResource: ({ type, name, inputs }) => {
                registered.push({
                    type,
                    name,
                    inputs: unwrapSecrets(inputs),
                    opts: options.get(`${type} ${name}`) ?? {},
                });
                const outputs = outputsOf(type, name, inputs as Record<string, unknown>);
                return { id: preview ? undefined : `${name}-id`, state: outputs };
            },
            call: ({ inputs }) => inputs as Record<string, unknown>,
        },
        "homelab-registry",
        "test",
        preview,
        "organization",
    );

    // Mocha takes a rejection that nobody waits for as a failure of its own; here it is the program's.
    const listeners = process.listeners("unhandledRejection");
    const failure = new Promise<never>((_, reject) =>
        process.removeAllListeners("unhandledRejection").on("unhandledRejection", reject),
    );
    try {
        const run = pulumi.runtime.runInPulumiStack(async () => {
            pulumi.runtime.registerStackTransformation(({ type, name, opts }) => {
                options.set(`${type} ${name}`, opts);
                return undefined;
            });
            return program();
        });
        const outputs = await Promise.race([run, failure]);
        await Promise.race([pulumi.runtime.disconnect(), failure]);
        const resources = registered
            .filter(({ type }) => type !== pulumi.runtime.rootPulumiStackTypeName)
            .sort((a, b) => (`${a.type} ${a.name}` < `${b.type} ${b.name}` ? -1 : 1));
        return { resources, outputs: outputs as pulumi.Unwrap<T> };
    } catch (error) {
        // Of a program that was refused, much stays unresolved for good; at the end Pulumi would call it a leak.
        leakedPromises();
        throw error;
    } finally {
        process.removeAllListeners("unhandledRejection");
        listeners.forEach((listener) => process.on("unhandledRejection", listener));
    }
}

function unwrapSecrets(value: unknown): unknown {
    if (Array.isArray(value)) {
        return value.map(unwrapSecrets);
    }
    if (typeof value !== "object" || value === null) {
        return value;
    }
    return pulumi.runtime.isRpcSecret(value)
        ? new Secret(unwrapSecrets(pulumi.runtime.unwrapRpcSecret(value)))
        : Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, unwrapSecrets(inner)]));
}
