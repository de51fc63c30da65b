import * as pulumi from "@pulumi/pulumi";

// Not in Pulumi's types.
// eslint-disable-next-line @typescript-eslint/no-require-imports
const { leakedPromises } = require("@pulumi/pulumi/runtime/debuggable") as { leakedPromises: () => unknown };

/** A resource as the program registers it with the engine. Secrets in `inputs` are {@link Secret}s. */
export interface Registered {
    type: string;
    name: string;
    // Each type of resource has inputs of its own shape.
    // eslint-disable-next-line @typescript-eslint/no-explicit-any
    inputs: any;
    opts: pulumi.CustomResourceOptions;
}

/** An input that the engine keeps secret. */
export class Secret {
    constructor(readonly value: unknown) {}
}

/** The outputs that a provider would compute. The same type and name give the same outputs each time. */
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
            return { ...inputs, accessKey: name.replace("registry", "ACCESSKEY"), secretKey: "SECRETKEY" };
        case "kubernetes:core/v1:Secret":
            // The real provider generates a name as well.
            return { ...inputs, metadata: { name: `${name}-1a2b3c`, ...(inputs.metadata as object) } };
        default:
            return inputs;
    }
}

/**
 * Runs a program against Pulumi's mocks. Returns its resources, sorted by type and name, and its outputs.
 *
 * @param options.registered Receives each resource, also those of a program that fails
 * @param options.fails The type of the resources that cannot be created
 * @throws The program's error
 */
export async function deploy<T extends object>(
    program: () => Promise<T> | T,
    { preview = false, registered = [] as Registered[], fails = "" } = {},
) {
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
                if (type === fails) {
                    throw new Error(`${type} cannot be created`);
                }
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

    // An unhandled rejection is an error of the program. Mocha would report it as its own.
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
        // A rejected program leaves promises that never settle. Without this call, Pulumi would report them as leaks.
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
