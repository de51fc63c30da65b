import * as bcrypt from "bcryptjs";

/** The key of an htpasswd file in its Secret, and the file's name in the folder where the Secret is mounted. */
export const htpasswdFile = ".htpasswd";

/** The alphabet of bcrypt's own base64. */
export const saltAlphabet = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/**
 * The random characters of a salt of 16 bytes. bcrypt reads only two bits of the 22nd character, which is always `.`.
 * So each salt has one spelling, and 126 of its 128 bits are random.
 */
export const saltLength = 21;

/** bcrypt's cost, which each request pays. docs/design/threat-model.md says why it is the same for all passwords. */
const cost = "05";

/**
 * A user's line of the htpasswd file. The same input always gives the same line.
 *
 * @param salt {@link saltLength} characters of {@link saltAlphabet}
 */
export async function htpasswdLine(user: string, password: string, salt: string): Promise<string> {
    return `${user}:${await bcrypt.hash(password, `$2b$${cost}$${salt}.`)}`;
}
