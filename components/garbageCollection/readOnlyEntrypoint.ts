import * as fs from "node:fs";
import * as path from "node:path";

/** Where the pods of the registry mount the ConfigMap with the lease. The script has it, too. */
export const lockFolder = "/lock";

/**
 * The annotation of a pod with the time until which it is read-only, in seconds since 1970. A change of the ConfigMap
 * may arrive too late.
 */
export const readOnlyUntil = "homelab-registry/read-only-until";

/** That annotation, as a variable for {@link readOnlyEntrypoint}. */
export const readOnlyUntilEnv = {
    name: "READ_ONLY_UNTIL",
    valueFrom: { fieldRef: { fieldPath: `metadata.annotations['${readOnlyUntil}']` } },
};

const file = fs.readFileSync(path.join(__dirname, "read-only-entrypoint.sh"), "utf8");

/** The shell script that serves the registry, without the lines at its head that only readers of the file need. */
export const readOnlyEntrypoint = file.slice(file.indexOf("\n\n") + 1);
