import * as assert from "node:assert/strict";

import * as fc from "fast-check";

import { ContainerRegistryArgs } from "../../../components/args";
import { ContainerRegistry } from "../../../components/containerRegistry";
import { setAt, valueAt, Values } from "../../../configuration/reader";
import { Argument, errorsOf, listFields, validArgs, withValue } from "../../support/arguments";
import { limits } from "../../support/limits";
import { deploy, Registered, Secret } from "../../unit/support/deploy";
import { attempt } from "../support/run";
import { apply, kubectl } from "../support/sandbox";

/** Seed of the configurations, which are the same in every run. */
const seed = Number(process.env.CONFIGURATIONS_SEED ?? 20261127);
const namespace = "accepted";
/** Kinds that the sandbox does not know. Their names, labels and annotations are those of a ConfigMap. */
const unknownKinds = ["ServiceMonitor"];

interface Configuration {
    name: string;
    args: Values;
}

/** An object of Kubernetes, as far as this test reads it. */
interface Manifest {
    apiVersion: string;
    kind: string;
    metadata: { name?: string; namespace?: string; labels?: object; annotations?: object };
    spec?: { template?: Template; jobTemplate?: { spec: { template: Template } }; serviceAccountName?: string };
}
interface Template {
    metadata: object;
    spec: object;
}

const text = fc.oneof(fc.stringMatching(/^[a-z0-9][a-z0-9._:/-]{0,80}$/), fc.string({ unit: "grapheme" }));

/** A change of an argument. */
interface Change {
    path: string[];
    value: unknown;
}

/** Changes of an argument to values that happen to be accepted by its rule. */
function acceptedChanges({ path, property }: Argument): Change[] {
    const values: fc.Arbitrary<unknown> = property.enum
        ? fc.constantFrom(...property.enum.map(({ value }) => value))
        : property.additionalProperties
          ? fc.dictionary(text, text, { maxKeys: 3 })
          : property.type === "boolean"
            ? fc.boolean()
            : property.type === "number"
              ? fc.oneof(fc.nat(100_000), fc.maxSafeNat())
              : text;
    return fc
        .sample(values, { seed, numRuns: 100 })
        .filter((value) => errorsOf(withValue(path, value)).length === 0)
        .map((value) => ({ path, value }));
}

/**
 * Configurations that pass the checks. Some groups are left out. Of the arguments, some have an accepted value, and the
 * rest one at the edge of their rule.
 */
function configurations(): fc.Arbitrary<Configuration> {
    const fields = listFields();
    // Of all ports, Kubernetes accepts those of its own range.
    const changes = fields.filter(({ name }) => name !== "service.nodePort").map(acceptedChanges);
    return fc
        .record({
            name: fc.constantFrom("r", "registry", "r-0", "a".repeat(41), "a".repeat(45), "a".repeat(50)),
            exposure: fc.constantFrom("ingress", "gateway", "service"),
            without: fc.subarray([
                "pullHost",
                "anonymousPullHost",
                "collection",
                "metrics",
                "networkPolicy",
                "mirrors",
            ]),
            edge: fc.nat(100_000),
            changes: fc.subarray(changes.flat(), { maxLength: 200 }),
        })
        .map(({ name, exposure, without, edge, changes }) => {
            const args = validArgs(exposure);
            without.forEach((group) => delete args[group]);
            if (exposure === "ingress" && args.pullHost === undefined) {
                setAt(args, ["ingress", "className"], "traefik");
            }
            for (const { path, name: field } of fields.filter(({ name }) => limits[name]?.accepted.length)) {
                const { accepted } = limits[field]!;
                changeIfValid(name, args, { path, value: accepted[edge % accepted.length] });
            }
            changes.forEach((change) => changeIfValid(name, args, change));
            return { name, args };
        })
        .filter(({ name, args }) => errorsOf(args, name).length === 0);
}

/** Changes an argument, unless its group is left out, or the other arguments do not allow it. */
function changeIfValid(name: string, args: Values, { path, value }: Change): void {
    if (path[0] !== "resources" && valueAt(args, path.slice(0, -1)) === undefined) {
        return;
    }
    const before = valueAt(args, path);
    setAt(args, path, value);
    if (errorsOf(args, name).length > 0) {
        setAt(args, path, before);
    }
}

/** The objects of a configuration, and the pods that its templates would make. */
async function render({ name, args }: Configuration): Promise<Manifest[]> {
    const { resources } = await deploy(() => {
        new ContainerRegistry(name, args as unknown as ContainerRegistryArgs);
        return {};
    });
    const objects = resources.filter(({ type }) => type.startsWith("kubernetes:")).map(toManifest);
    return objects.flatMap((object) => {
        const template = object.spec?.template ?? object.spec?.jobTemplate?.spec.template;
        // No pod is created for an account that does not exist.
        const spec = { ...template?.spec, serviceAccountName: undefined };
        const metadata = { ...template?.metadata, name: "pod", namespace };
        return template ? [object, { apiVersion: "v1", kind: "Pod", metadata, spec }] : [object];
    });
}

/** What Pulumi sends of a resource. Instead of its own namespace, the one that exists. */
function toManifest({ name, inputs }: Registered): Manifest {
    const manifest = JSON.parse(
        JSON.stringify(inputs, (_, value: unknown) => (value instanceof Secret ? value.value : value)),
    ) as Manifest;
    const { kind, metadata } = manifest;
    // The provider appends as many characters to the name of an object without one.
    metadata.name ??= `${name}-1a2b3c4d`;
    metadata.namespace &&= namespace;
    return unknownKinds.includes(kind) ? { apiVersion: "v1", kind: "ConfigMap", metadata } : manifest;
}

/** What Kubernetes says about objects that it refuses. */
async function refusals(objects: Manifest[]): Promise<string> {
    const input = [...new Set(objects.map((object) => JSON.stringify(object)))].join("\n");
    const flags = ["--server-side", "--force-conflicts", "--dry-run=server", "--output=name"];
    const { code, stderr } = await attempt("kubectl", ["apply", ...flags, "--filename", "-"], { input });
    return code === 0 ? "" : stderr;
}

describe("Configurations that pass the checks", function () {
    this.timeout("5m");

    before(() =>
        apply({
            apiVersion: "v1",
            kind: "Namespace",
            metadata: { name: namespace, labels: { "pod-security.kubernetes.io/enforce": "restricted" } },
        }),
    );
    after(() => kubectl("delete", "namespace", namespace));

    it("are accepted by Kubernetes, with every object and pod", async () => {
        const sample = fc.sample(configurations(), { seed, numRuns: 24 });
        const rendered: Manifest[][] = [];
        for (const configuration of sample) {
            rendered.push(await render(configuration));
        }
        const refused = await refusals(rendered.flat());
        for (const [i, objects] of refused === "" ? [] : rendered.entries()) {
            assert.equal(await refusals(objects), "", `CONFIGURATIONS_SEED=${seed}: ${JSON.stringify(sample[i])}`);
        }
        // Also if each of them alone is accepted.
        assert.equal(refused, "");
    });
});
