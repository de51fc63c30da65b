import * as bcrypt from "bcryptjs";

/** What bcrypt writes 16 bytes of salt with, in its own base64. */
export const saltAlphabet = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/**
 * The random characters of a salt. Of the 22nd, bcrypt reads two bits only; it is always `.`, so that each salt is
 * written in one way and 126 of its 128 bits are random.
 */
export const saltLength = 21;

/**
 * A user's line of the htpasswd file. The same input gives the same line, byte for byte.
 *
 * @param cost bcrypt's cost: each step doubles the time of every request with this login
 * @param salt {@link saltLength} characters of {@link saltAlphabet}
 */
export async function htpasswdLine(user: string, password: string, cost: number, salt: string): Promise<string> {
    const setting = `$2b$${String(cost).padStart(2, "0")}$${salt}.`;
    return `${user}:${await bcrypt.hash(password, setting)}`;
}
