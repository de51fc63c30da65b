import * as pulumi from "@pulumi/pulumi";

import { readStackConfiguration, StackConfiguration } from "../../config";

/**
 * Reads a configuration as the engine hands it over: each value as text.
 *
 * @param encrypted the keys whose values contain a secret; undefined if the engine does not say
 */
export async function readConfiguration(
    values: Record<string, unknown>,
    { encrypted }: { encrypted?: string[] } = {},
): Promise<StackConfiguration> {
    const project = "homelab-registry";
    const named = (key: string) => `${project}:${key}`;
    process.env.PULUMI_CONFIG_SECRET_KEYS = encrypted ? JSON.stringify(encrypted.map(named)) : "";
    await pulumi.runtime.setMocks({ newResource: () => ({ id: "", state: {} }), call: () => ({}) }, project, "test");
    pulumi.runtime.setAllConfig(
        Object.fromEntries(
            Object.entries(values)
                .filter(([, value]) => value !== undefined)
                .map(([key, value]) => [named(key), typeof value === "string" ? value : JSON.stringify(value)]),
        ),
    );
    return readStackConfiguration();
}
