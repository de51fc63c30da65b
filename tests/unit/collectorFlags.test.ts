import * as assert from "node:assert/strict";
import * as fs from "node:fs";

import { formatFlags, formatLabels, parseCommandLine, parseLabels } from "../../components/collector/flags";

describe("The collector's flags", () => {
    const { values: defaults } = parseCommandLine(["collect"]);

    it("are those in the table of its README, which shows a value for all but the switches", () => {
        const readme = fs.readFileSync("components/collector/README.md", "utf8");
        const documented = [...readme.matchAll(/^\| `--([a-z-]+)( [A-Z=]+)?` \|/gm)];
        assert.deepEqual(
            Object.fromEntries(documented.map(([, name, value]) => [name, value === undefined])),
            Object.fromEntries(Object.entries(defaults).map(([name, value]) => [name, typeof value === "boolean"])),
        );
    });

    it("are read as they were written", () => {
        const flags = {
            config: "a file",
            label: formatLabels({ a: "1", b: "2" }),
            "delete-untagged": true,
            "apply-retention": false,
            retention: '[{"keepNewest":3}]',
        };
        const { values, positionals } = parseCommandLine(["collect", ...formatFlags(flags)]);
        assert.deepEqual({ ...values }, { ...defaults, ...flags });
        assert.deepEqual(positionals, ["collect"]);
        assert.deepEqual(parseLabels(values.label), { a: "1", b: "2" });
    });

    it("are refused if the collector has no such flag", () => {
        assert.throws(() => parseCommandLine(["collect", "--unknown"]), { code: "ERR_PARSE_ARGS_UNKNOWN_OPTION" });
    });
});
