/** What a check of the preflight found. */
export interface Finding {
    /** `unreachable` is an error of an update. A preview needs only the state, and continues with a warning. */
    severity: "error" | "unreachable" | "warning" | "note";
    /** What is wrong, the value, and the command that mends it. Never holds a secret. */
    text: string;
}

export const error = (text: string): Finding => ({ severity: "error", text });
export const unreachable = (text: string): Finding => ({ severity: "unreachable", text });
export const warning = (text: string): Finding => ({ severity: "warning", text });
export const note = (text: string): Finding => ({ severity: "note", text });
