import * as assert from "node:assert/strict";

import * as bcrypt from "bcryptjs";

import { htpasswdLine, saltAlphabet, saltLength } from "../../components/users/htpasswd";

const salt = "./ABCDEFGHIJKLMNOPQRS";

describe("htpasswdLine", () => {
    it("returns the user's name and a bcrypt hash of cost 5 with the given salt", async () => {
        assert.match(
            await htpasswdLine("ci", "correct horse", salt),
            /^ci:\$2b\$05\$\.\/ABCDEFGHIJKLMNOPQRS\.[./A-Za-z0-9]{31}$/,
        );
    });

    it("returns the same line for the same arguments", async () => {
        assert.equal(await htpasswdLine("ci", "correct horse", salt), await htpasswdLine("ci", "correct horse", salt));
    });

    it("returns a hash that matches the password, and no other", async () => {
        const [, hash] = (await htpasswdLine("ci", "correct horse", salt)).split(":");
        assert.equal(await bcrypt.compare("correct horse", hash!), true);
        assert.equal(await bcrypt.compare("correct horsf", hash!), false);
    });

    it("writes each character of the salt's alphabet unchanged", async () => {
        for (let start = 0; start + saltLength <= saltAlphabet.length; start += saltLength) {
            const part = saltAlphabet.slice(start, start + saltLength);
            assert.ok((await htpasswdLine("ci", "x", part)).startsWith(`ci:$2b$05$${part}.`), part);
        }
    });
});
