import * as assert from "node:assert/strict";
import * as fs from "node:fs";

import { interruptUp } from "../../e2e/support/interrupt";
import { run } from "../../e2e/support/run";
import { get, kubectl, plaintext, secret } from "../../e2e/support/sandbox";
import { assertUnnoticed, whilePodsStop } from "../../e2e/support/traffic";
import { ConvergingRegistry } from "../support/convergingRegistry";
import { describeInFull, isShort } from "../support/shortMode";

describe("An update", () => {
    const registry = new ConvergingRegistry("killed");

    /** Starts to create the registry, and kills Pulumi after one of its resources. */
    async function killAfter(resource: string): Promise<void> {
        const at = new RegExp(`:${resource} created`);
        assert.ok(await interruptUp((line) => at.test(line), "SIGKILL", registry.name), "it was not killed");
    }

    before(async () => {
        await registry.makeMinio();
        await registry.configure({ "users[1].name": "alice" });
    });
    after(() => registry.remove());

    describe("that is killed while it creates a registry is completed by a second run, with no secret lost and nothing left over: killed", () => {
        afterEach(() => registry.destroy());

        const made = [
            "Namespace registry",
            "S3Bucket registry",
            "IamPolicy registry",
            "IamUser registry",
            "IamUserPolicyAttachment registry",
            "IamServiceAccount registry",
            "RandomPassword registry-me-password",
            "RandomPassword registry-http-secret",
            "Secret registry-auth",
            "Secret registry-config",
            "Service registry",
            "PodDisruptionBudget registry",
            "Ingress registry",
            "Deployment registry",
        ];
        for (const resource of made.filter((name) => !isShort || /^(S3Bucket|IamServiceAccount)/.test(name))) {
            it(`after the ${resource}`, async () => {
                await killAfter(resource);
                // Empty if the state cannot be read yet.
                const known = await registry.passwords().catch(() => ({}));
                await registry.recover();
                assert.deepEqual({ ...(await registry.passwords()), ...known }, await registry.passwords());
                await registry.assertConverged();
            });
        }
    });

    describe("that is killed, and for which scripts/recover failed at first, is completed by scripts/recover later: killed", () => {
        // Not with the CLI, which may be unable to read the state: scripts/recover repairs that first.
        const setContext = (context: string) => {
            const file = `Pulumi.${registry.name}.yaml`;
            const configuration = fs.readFileSync(file, "utf8");
            assert.match(configuration, /:kubeContext: /);
            fs.writeFileSync(file, configuration.replace(/(:kubeContext: ).*/, `$1"${context}"`));
        };
        before(() => registry.configure({ "users[1].name": "alice", kubeContext: "" }));
        afterEach(() => registry.destroy());

        for (const resource of ["S3Bucket registry", "IamServiceAccount registry"]) {
            it(`after the ${resource}`, async () => {
                await killAfter(resource);
                // Only the update of scripts/recover fails, after its refresh.
                setContext("nowhere");
                await assert.rejects(registry.recover(), /error: The kubeconfig \(\S+\) has no context "nowhere"\./);
                setContext("");
                await registry.recover();
                await registry.assertConverged();
            });
        }
    });

    describeInFull("of a registry in use", () => {
        before(async () => {
            await registry.configure({ "users[1].name": "alice" });
            await registry.up();
        });

        it("that is killed at each of its steps is completed by the next one, without a failed pull, a push that fails twice, or a lost secret", async () => {
            const me = await registry.client();
            const before = await registry.passwords();
            await run("pulumi", [
                "config",
                "set-all",
                "--path",
                "--stack",
                registry.name,
                ...plaintext({
                    "users[1].rotation": "2",
                    "users[2].name": "bob",
                    bucketKeyRotation: "2",
                    logLevel: "warn",
                    replicas: "2",
                }),
            ]);
            const steps: string[] = [];
            await assertUnnoticed(
                me,
                async () => {
                    for (;;) {
                        // A step is over when its resource is created, updated or deleted. Each is killed at once.
                        const step = await interruptUp(
                            (line) => {
                                const [, name] =
                                    /^ \S+ +(\S+ \S+ (?:created|updated|deleted)(?: replacement| original)?) \(/.exec(
                                        line,
                                    ) ?? [];
                                return name !== undefined && !steps.some((known) => known.includes(name));
                            },
                            "SIGKILL",
                            registry.name,
                        );
                        if (step === undefined) {
                            break;
                        }
                        steps.push(step);
                        assert.ok(steps.length < 30, steps.join("\n"));
                        // The first steps of scripts/recover.
                        await run("sh", ["-ec", ". scripts/common.sh; repair_state_files"], { env: registry.env });
                        await run("pulumi", ["cancel", "--yes", "--stack", registry.name]);
                    }
                },
                { ...whilePodsStop, checkAll: true },
            );
            console.log(`      killed ${steps.length} times`);
            assert.ok(steps.length >= 8, steps.join("\n"));
            await registry.recover();
            await registry.assertConverged();
            const [changed] = Object.keys(before).filter((urn) => urn.includes("alice-password"));
            const { [changed!]: old, ...kept } = before;
            const after = await registry.passwords();
            assert.deepEqual({ ...after, ...kept }, after);
            assert.notEqual(after[changed!], old);
        });

        it("keeps the logins of all users, with the passwords in the stack's outputs", async () => {
            for (const user of ["me", "alice", "bob"]) {
                await registry.client(user);
            }
            const { items } = await get<{ items: { spec: { volumes: { secret: { secretName: string } }[] } }[] }>(
                "pods",
                "--namespace",
                registry.name,
            );
            for (const { spec } of items) {
                for (const {
                    secret: { secretName },
                } of spec.volumes) {
                    await secret(secretName, registry.name);
                }
            }
            await kubectl("rollout", "status", "deployment", "--namespace", registry.name, "--timeout=300s");
        });
    });
});
