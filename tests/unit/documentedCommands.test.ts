import * as assert from "node:assert/strict";
import * as fs from "node:fs";

import ts from "typescript";

import { executions, findCommands, isConfiguration, listPages, readCommands } from "../support/documentedCommands";

describe("A command of the documentation", () => {
    const all = listPages().flatMap(readCommands);

    it("is under a heading that no other section of its page has", () => {
        const names = all.map(({ page, heading }) => `${page}: ${heading}`);
        assert.deepEqual(
            names.filter((name, index) => names.indexOf(name) !== index),
            [],
        );
    });

    it("is tested, or has a reason why it is not", () => {
        const missing = all.filter(
            ({ page, heading, blocks }) =>
                executions[page]?.[heading] === undefined && !blocks.every((block) => isConfiguration(block)),
        );
        assert.deepEqual(
            missing.map(({ page, heading, line }) => `${page}:${line}: ${heading}`),
            [],
        );
    });

    for (const [page, sections] of Object.entries(executions)) {
        for (const [heading, execution] of Object.entries(sections)) {
            it(`is as the list says: ${page}, ${heading}`, () => {
                const commands = all.find((commands) => commands.page === page && commands.heading === heading);
                assert.ok(commands, "the page has no such commands");
                if ("test" in execution) {
                    const strings = stringsOf(execution.test);
                    assert.ok(strings.has(heading), `${execution.test} does not run them`);
                    assert.ok(strings.has(page), `${execution.test} does not name the page`);
                } else {
                    const isRun = commands.blocks.map((block) => isConfiguration(block));
                    assert.equal(execution.notRun === undefined, !isRun.includes(false), "notRun is wrong");
                    const needsConfiguration = "given" in execution || "answer" in execution;
                    assert.ok(!needsConfiguration || isRun.includes(true), "no block sets the configuration");
                }
            });
        }
    }

    it("is a target of the Makefile, or a script, that exists", () => {
        const targets = [...fs.readFileSync("Makefile", "utf8").matchAll(/^([a-z0-9]+):/gm)].map(([, name]) => name);
        const unknown = listPages().flatMap((page) =>
            findCommands(page, /^(make|scripts\/)/).filter((command) => {
                const [program = "", ...args] = command.split(/\s+/);
                return program === "make"
                    ? !args.filter((arg) => /^[a-z]+$/.test(arg)).every((target) => targets.includes(target))
                    : !fs.existsSync(program);
            }),
        );
        assert.deepEqual(unknown, []);
    });

    it("sets the configuration if there is nothing else in its block", () => {
        const cases: [block: string, expected: boolean][] = [
            ["pulumi config set a b && pulumi up", true],
            ["# First.\npulumi config set \\\n    a b   # why; how\n\npulumi up", true],
            ["pulumi config set a < b", true],
            ["pulumi config rm a\npulumi config get b\npulumi preview", true],
            ["pulumi config set a b && scripts/images", false],
            ["printf b | pulumi config set a", false],
            ["pulumi config set a b; rm c", false],
            ["pulumi stack init", false],
        ];
        for (const [block, expected] of cases) {
            assert.equal(isConfiguration(block), expected, block);
        }
    });
});

/** The strings in the code of a file. */
function stringsOf(file: string): Set<string> {
    const strings = new Set<string>();
    const visit = (node: ts.Node): void => {
        if (ts.isStringLiteralLike(node)) {
            strings.add(node.text);
        }
        ts.forEachChild(node, visit);
    };
    visit(ts.createSourceFile(file, fs.readFileSync(file, "utf8"), ts.ScriptTarget.Latest));
    return strings;
}
