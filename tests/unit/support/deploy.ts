import * as pulumi from "@pulumi/pulumi";

// Pulumi's types do not declare it.
// eslint-disable-next-line @typescript-eslint/no-require-imports
const { leakedPromises } = require("@pulumi/pulumi/runtime/debuggable") as { leakedPromises: () => unknown };

/** A resource as the program registers it. Secrets in `inputs` are instances of {@link Secret}. */
export interface Registered {
    type: string;
    name: string;
    // The shape of the inputs depends on the type of the resource.
    // eslint-disable-next-line @typescript-eslint/no-explicit-any
    inputs: any;
    opts: pulumi.CustomResourceOptions;
}

/** Marks an input that the engine keeps secret. */
export class Secret {
    constructor(readonly value: unknown) {}
}

/** The outputs that a provider would compute, by type and name; the same each time. */
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
            // Pulumi chooses the name, as with the real provider.
            return { ...inputs, metadata: { name: `${name}-1a2b3c`, ...(inputs.metadata as object) } };
        default:
            return inputs;
    }
}

/** Runs a program against Pulumi's mocks. Returns the registered resources, sorted by type and name, and the outputs. */
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

    // Mocha reports an unhandled rejection as a failure of its own. Here it is the program's.
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
        // A failed program leaves promises unresolved. At the end, Pulumi would report them as leaks.
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
