import { type OddLink, root } from "./layout.ts";

/** What is broken or odd, in words, with the command that fixes it. */

/** Sentences about one object. Problems stop a collection, notes do not. */
export interface Finding {
    problems: string[];
    notes: string[];
    /** Whether a collection deletes the object. */
    goes?: boolean;
}

export function makeFinding(object: string, { problems, notes }: Finding): Finding {
    const name = (text: string) => `${object}: ${text}`;
    return { problems: problems.map(name), notes: notes.map(name) };
}

/** Such a link stops nothing: a collection deletes it. */
export const isEmptyLayerLink = ({ folder, isEmpty }: OddLink) => folder === "_layers" && isEmpty;

export function describeOddLink(link: OddLink): Finding {
    const { repository, folder, digest, key, isEmpty } = link;
    const what = `its link to the ${folder === "_layers" ? "layer" : "manifest"} ${digest}`;
    const note = isEmptyLayerLink(link)
        ? `${what} is empty, so the next collection deletes that link`
        : `${what} ${isEmpty ? "is empty" : "is no digest"}. ` +
          `Until you delete that link, no blob of ${repository} is deleted. ${removeCommand(key)}`;
    return makeFinding(repository, { problems: [], notes: [note] });
}

export function describeOddName(repository: string): Finding {
    const note =
        "is no name of a repository. Until you delete it, no blob of it is deleted. " +
        `To delete it: mc rm --recursive --force ${bucket}/${root}repositories/${repository}/`;
    return makeFinding(repository, { problems: [], notes: [note] });
}

/** How `mc` names the bucket, with the owner's alias of the server. */
const bucket = "ALIAS/BUCKET";

/** The command that deletes a manifest or a tag. */
export const deleteCommand = (repository: string, reference: string) =>
    `curl --user NAME --request DELETE https://HOST/v2/${repository}/manifests/${reference}`;

/** The sentence with the command that deletes a link by its key. */
export const removeCommand = (key: string) => `To delete that link: mc rm ${bucket}/${key}`;
