import * as assert from "node:assert/strict";
import * as fs from "node:fs";

import { attempt } from "./support/run";
import { client } from "./support/sandbox";

const page = fs.readFileSync("docs/design/conformance.md", "utf8");
const report = "reports/conformance";

interface Test {
    name: string;
    status: "passed" | "failure" | "skipped";
}

/** The known failures on the page: names of tests, in which `*` matches anything, and how many of them fail. */
const listed = [...page.matchAll(/^\| (`.*`) \| (\d+) \| (.*) \|$/gm)].map(([, names, failing, reason]) => ({
    names: new RegExp(
        `^(${[...names!.matchAll(/`(.*?)`/g)].map(([, name]) => name!.replaceAll("*", ".*")).join("|")})$`,
    ),
    failing: Number(failing),
    reason: reason!,
}));

/** The workflows of the specification. A test belongs to the first whose pattern matches its name. */
const workflows: [workflow: string, names: RegExp][] = [
    ["content management", /delete$/],
    ["content discovery", /(tag.list|referrers)$/],
    ["push", /\/push\/|\/(blob-(post|patch|mount)|manifest-put)[^/]*$/],
    ["pull", /./],
];
const workflowOf = ({ name }: Test) => workflows.find(([, names]) => names.test(name))![0];

describe("The conformance suite of the OCI distribution specification", () => {
    let tests: Test[];
    const failing = () => tests.filter(({ status }) => status === "failure");

    before(async () => {
        const { host, user, password } = await client();
        fs.rmSync(report, { recursive: true, force: true });
        const settings = { REGISTRY: host, USERNAME: user, PASSWORD: password, RESULTS_DIR: report, LOG: "error" };
        const env = {
            ...(process.env as Record<string, string>),
            ...Object.fromEntries(Object.entries(settings).map(([key, value]) => [`OCI_${key}`, value])),
        };
        const { stdout, stderr } = await attempt("conformance", [], { env });
        assert.match(stdout, /^OCI Conformance Result: /m, stderr);
        console.log(`      report: ${report}/report.html`);
        tests = [
            ...fs
                .readFileSync(`${report}/junit.xml`, "utf8")
                .matchAll(/<testcase name="OCI Conformance Test\/(.*?)".*? status="(.*?)"/g),
        ].map(([, name, status]) => ({ name: name!, status: status as Test["status"] }));
    });

    it("passes except for the tests that docs/design/conformance.md lists", () => {
        const unlisted = failing().filter(({ name }) => !listed.some(({ names }) => names.test(name)));
        assert.deepEqual(
            unlisted.map(({ name }) => name),
            [],
        );
    });

    for (const { names, failing: expected, reason } of listed) {
        it(`fails exactly ${expected} tests because ${reason}`, () => {
            assert.equal(failing().filter(({ name }) => names.test(name)).length, expected);
        });
    }

    it("has the counts that docs/design/conformance.md shows", () => {
        const rows = ["pull", "push", "content discovery", "content management"].map((workflow) => {
            const of = tests.filter((test) => workflowOf(test) === workflow);
            return `| ${[workflow, ...(["passed", "failure", "skipped"] as const).map((wanted) => of.filter(({ status }) => status === wanted).length)].join(" | ")} |`;
        });
        assert.ok(page.includes(rows.join("\n")), `now it is\n${rows.join("\n")}`);
    });
});
