import { HandMade, makeByHand } from "../tests/e2e/support/handMade";
import { installTwuniChart } from "./twuniChart";

/** Namespace and bucket of a side, which exist, and its login and host. */
export type SideSettings = Required<Omit<HandMade, "version">>;

/** A registry that the candidate is compared with, as owners set it up without this project. */
export interface Side {
    /** Its name in reports. */
    label: string;
    create(settings: SideSettings): Promise<void>;
}

/** The sides, by name: `make bench options="sides=NAME,…"`. */
export const sides: Record<string, Side> = {
    baseline: { label: "by hand, registry:3", create: (settings) => makeByHand({ version: 3, ...settings }) },
    "registry-2": { label: "by hand, registry:2", create: (settings) => makeByHand({ version: 2, ...settings }) },
    twuni: { label: "Helm chart twuni/docker-registry", create: installTwuniChart },
};
