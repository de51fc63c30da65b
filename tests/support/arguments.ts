import { ContainerRegistryArgs } from "../../components/args";
import { findValidationErrors } from "../../components/validate";
import { setAt, Values } from "../../configuration/reader";
import { Property, readSchema, resolve } from "../../configuration/schema";

const schema = readSchema();

/** An argument, or a field of one; the items of a list have the index 0. */
export interface Argument {
    path: string[];
    /** Example: `mirrors[0].host`. */
    name: string;
    property: Property;
}

/** Lists the arguments, and the fields of those that are objects: each has one value, or maps names to texts. */
export function listFields(): Argument[] {
    const list = (properties: Record<string, Property>, parents: string[] = []): Argument[] =>
        Object.entries(properties).flatMap(([field, reference]) => {
            const property = resolve(schema, reference);
            const path = [...parents, field, ...(property.items ? ["0"] : [])];
            const { properties: fields } = resolve(schema, property.items ?? property);
            const name = path.join(".").replace(/\.0(?=\.|$)/g, "[0]");
            return fields ? list(fields, path) : [{ path, name, property }];
        });
    return Object.values(schema.resources).flatMap(({ inputProperties }) => list(inputProperties));
}

/** Arguments that are valid, and use every group of arguments that one kind of exposure allows. */
export function validArgs(exposure: "ingress" | "gateway" | "service" = "ingress"): Values {
    const exposures = {
        ingress: { className: "nginx", clusterIssuer: "own-ca" },
        gateway: { name: "home", namespace: "gateways", httpSectionName: "http" },
        service: { type: "NodePort" },
    };
    const policy = { repositories: ["**"], tags: ["pr-*"], keepPatterns: ["latest"], mostRecentlyPushedCount: 1 };
    return {
        host: "docker.registry.example.com",
        users: [{ name: "ci" }, { name: "cluster", access: "pull" }],
        pullHost: "pull.registry.example.com",
        anonymousPullHost: "public.registry.example.com",
        pullSecrets: [{ namespace: "apps", user: "ci" }],
        bucket: { name: "layers", endpoint: "minio.example.com:9000" },
        [exposure]: exposures[exposure],
        collection: { schedule: "0 4 * * 0", retention: [policy] },
        metrics: { serviceMonitor: true },
        networkPolicy: {},
        mirrors: [{ name: "hub", host: "hub.example.com", remote: "https://registry-1.docker.io" }],
    };
}

/** The paths that the validation errors of arguments name. */
export const errorsOf = (args: Values, name = "registry"): string[] =>
    findValidationErrors(name, args as unknown as ContainerRegistryArgs).map(({ propertyPath }) => propertyPath);

/** Valid arguments, one of them changed. */
export function withValue(path: string[], value: unknown): Values {
    const args = validArgs(path[0] === "gateway" || path[0] === "service" ? path[0] : "ingress");
    setAt(args, path, value);
    return args;
}
