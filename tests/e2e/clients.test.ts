import * as assert from "node:assert/strict";
import { createHash } from "node:crypto";

import { architectures, forget, forgetLogins, imageClients, Manifest, useImageClients } from "./support/imageClients";
import { client as credentials, request } from "./support/sandbox";
import { Client as Login } from "./support/traffic";

const types = [
    "oci.image.manifest.v1",
    "oci.image.index.v1",
    "docker.distribution.manifest.v2",
    "docker.distribution.manifest.list.v2",
].map((type) => `application/vnd.${type}+json`);

describe("A client of the registry:", () => {
    useImageClients();
    let login: Login;
    before(async () => (login = await credentials()));

    for (const [name, client] of Object.entries(imageClients)) {
        describe(name, () => {
            const digests = new Set<string>();
            let image: string, pushed: string;

            /** Sends a request to the registry. */
            const ask = async (path: string, ...options: string[]) => {
                const { status, body } = await request(
                    `https://${login.host}/v2/clients/${name}/${path}`,
                    "--user",
                    `${login.user}:${login.password}`,
                    "--include",
                    ...types.flatMap((type) => ["--header", `Accept: ${type}`]),
                    ...options,
                );
                const end = body.indexOf("\r\n\r\n");
                const header = (name: string) => new RegExp(`^${name}: (.*)\r`, "im").exec(body.slice(0, end))?.[1];
                return { status, header, content: body.slice(end + 4) };
            };
            /** Fetches the manifest of a digest, and verifies the digest. */
            const manifest = async (digest: string) => {
                digests.add(digest);
                const { header, content } = await ask(`manifests/${digest}`);
                assert.equal(`sha256:${createHash("sha256").update(content).digest("hex")}`, digest);
                return { type: header("content-type")!, content, ...(JSON.parse(content) as Manifest) };
            };

            before(() => {
                image = `${login.host}/clients/${name}`;
                forgetLogins();
            });
            // Other tests read all images of the registry.
            after(async () => {
                for (const digest of digests) {
                    await ask(`manifests/${digest}`, "--request", "DELETE");
                }
                await forget(image);
            });

            it("pulls only after a login", async () => {
                await assert.rejects(
                    client.pull(`${image}:a`, "amd64"),
                    /unauthorized|authentication required|no basic auth/i,
                );
                await client.login(login);
            });

            it("pulls exactly the image that it pushed", async () => {
                pushed = await client.push(`${image}:a`);
                const { config } = await manifest(pushed);
                assert.equal(await client.pull(`${image}@${pushed}`, "amd64"), config.digest);
            });

            it("pushes an index and pulls the image of each platform", async () => {
                const index = await client.pushIndex(`${image}:index`);
                const { manifests } = await manifest(index);
                assert.deepEqual(manifests.map(({ platform }) => platform.architecture).sort(), architectures);
                for (const {
                    digest,
                    platform: { architecture },
                } of manifests) {
                    const { config } = await manifest(digest);
                    assert.equal(await client.pull(`${image}@${index}`, architecture), config.digest);
                }
            });

            it(`lists tags, in pages of two ${client.tags ? "or all at once" : "(by curl, for lack of a command)"}`, async () => {
                const { type, content } = await manifest(pushed);
                for (const tag of ["b", "c", "d", "e"]) {
                    assert.equal(
                        (
                            await ask(
                                `manifests/${tag}`,
                                "--request",
                                "PUT",
                                "--header",
                                `Content-Type: ${type}`,
                                "--data-raw",
                                content,
                            )
                        ).status,
                        201,
                    );
                }
                const pages: string[][] = [];
                for (let page: string | undefined = "tags/list?n=2"; page;) {
                    const { header, content } = await ask(page);
                    pages.push((JSON.parse(content) as { tags: string[] }).tags);
                    page = /tags\/list[^>]*(?=>; rel="next")/.exec(header("link") ?? "")?.[0];
                }
                const tags = pages.flat();
                assert.deepEqual(
                    tags.filter((tag) => !tag.startsWith("index")),
                    ["a", "b", "c", "d", "e"],
                );
                assert.ok(
                    pages.every(({ length }) => length <= 2),
                    JSON.stringify(pages),
                );
                if (client.tags) {
                    assert.deepEqual(await client.tags(image), tags);
                }
            });

            it(`deletes by digest${client.delete ? "" : " (by curl, for lack of a command)"}`, async () => {
                await (client.delete?.(`${image}@${pushed}`) ?? ask(`manifests/${pushed}`, "--request", "DELETE"));
                for (const gone of [pushed, "a", "e"]) {
                    assert.equal((await ask(`manifests/${gone}`)).status, 404);
                }
            });
        });
    }
});
