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

/**
 * A user's line of the htpasswd file. The same input always gives the same line.
 *
 * @param cost bcrypt's cost: each step doubles the time of every request with this login
 * @param salt {@link saltLength} characters of {@link saltAlphabet}
 */
export async function htpasswdLine(user: string, password: string, cost: number, salt: string): Promise<string> {
    const setting = `$2b$${String(cost).padStart(2, "0")}$${salt}.`;
    return `${user}:${await bcrypt.hash(password, setting)}`;
}
