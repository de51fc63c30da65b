/** A phrase that people have to decode, or that has a better-known word, and what to write instead. */
export type Phrase = [phrase: RegExp, instead: string];

/** Phrases that nothing in this project contains. */
export const phrases: Phrase[] = [
    [/\b(is|are|was|were) (already )?there\b/i, "exists"],
    [/\bnot there\b/i, "does not exist, undefined"],
    [/\bto be there\b/i, "must exist"],
    [/\bheed(s|ed|ing)?\b/i, "respects, enforces"],
    [/\b(leads?|led|leading) (to|there|here|nowhere|them|clients|elsewhere)\b/i, "points to, routes to"],
    [/\b(go|goes|going|went) by\b/i, "uses, follows"],
    [/\b(is|are|was|were|be|been) (not )?told\b/i, "is notified, receives"],
    [/\b(take|takes|taken|taking|took) over\b/i, "imports, adopts, acquires"],
    [/\b(take|takes|taken|taking|took) (it |them |that )?away\b/i, "removes, deletes"],
    [/\bkept near\b/i, "cached"],
    [/\b(is|are|was|were|be) away\b/i, "is unreachable, does not respond"],
    [/\b(give|gives|given|giving|gave) (it |them |that )?back\b/i, "returns, releases, reclaims"],
    [/\bails?\b/i, "what is wrong"],
    [/\bone's own\b/i, "your own"],
    [/\bmade of\b/i, "consists of, built from; for arguments: Arguments of"],
    [/\b(no|nothing) more than\b/i, "at most, only"],
    [/\b(bring|brings|brought|bringing) (\w+ )?along\b/i, "imports, has its own"],
    [/\b(go|goes|going|went|gone) on (with|as|where|from)\b/i, "continues"],
    [/\braised? by one\b/i, "increase by 1"],
    [/\banew\b/i, "again"],
    [/\bmoving in\b/i, "migration"],
    [/\bneeds? a change\b/i, "is invalid"],
    [/\bwhat is wrong with\b/i, "validation errors"],
    [/\bcollections? of garbage\b/i, "garbage collection"],
    [/\b(runs?|ran|running) out\b/i, "expires"],
    [/\b(hears?|heard|hearing) of\b/i, "records, notices"],
    [/\banother's\b/i, "already used"],
    [/\bbut for\b/i, "except"],
    [/\bbut one\b/i, "only one"],
    [/\bthe world\b/i, "publicly trusted"],
    [/\b(looks?|looked|looking) whether\b/i, "checks whether"],
    [/\bas \w+ says? it\b/i, "in the syntax of"],
    [/\bto (its|their|the same) end\b/i, "completes"],
    [/\bnot good yet\b/i, "known limitations"],
    [/\ba reader\b/i, "read-only replica, pull-only user"],
    [/\bMinio\b/, "MinIO"],
];

/** Phrases for pages only: elsewhere, they may have another meaning. */
export const pagePhrases: Phrase[] = [
    // Durations, effects and places are taken.
    [
        /\btakes (?!(\w+ ){0,3}?(\d|effect|place|part|time|long|longer|hours?|minutes?|(milli)?seconds?|days?)\b)/i,
        "needs, requires, accepts, uses, removes",
    ],
    [/\b(leads?|led)\b/i, "points to, routes to, redirects"],
    [/\b(has|have|had|having) (it|them|ones?|a new one|new ones) made\b/i, "the program creates"],
    [/\b(is|are) (only|not) to\b/i, "should only, must not"],
    [/^watching\b|\bwatching (it|the registry)\b/i, "monitoring"],
    [/^rights\b/i, "access control"],
    [/\bwhat is watched\b/i, "metrics, scrape targets"],
    [/\breaders?\b/i, "read-only replica, pull-only user"],
    [/\bours\b/i, "candidate"],
    [/\bthe seed\b/i, "baseline"],
    [/\bnobody may\b/i, "default: none"],
    [/\bas much as the disk\b/i, "default: none"],
    [/\bnor\b/i, "and not"],
    [/\bas well\b/i, "too, also"],
    [/\bmeanwhile\b/i, "during this time"],
    [/\bbesides?\b/i, "next to, also"],
    [/\bwhoever\b/i, "everyone who, a user who"],
    [/\bfrom then on\b/i, "later, after that"],
    [/\btold otherwise\b/i, "configured"],
    [/\b(has|have|had) (a|no) say\b/i, "sets, does not affect"],
    [/\blet(s|ting)? go of\b/i, "stop managing"],
    [/\b(take|takes|taking|taken) (\w+ ){1,3}along\b/i, "keep, include, delete"],
    [/\bto be had\b/i, "available"],
    [/\b(knows|know|knew) (of|no|nothing)\b/i, "has a record of, has no"],
    [/\b(is|are) for (\w+ ){1,6}to (say|tell|lead)\b/i, "depends on, is a setting of"],
    [/\b(is|are) meant\b/i, "is the one that you want"],
    [/\bby such\b/i, "by one that"],
    [/\bsuch as those\b/i, "for example"],
    [/\bat the price of\b/i, "but needs"],
    [/\bhalf[- ]way\b/i, "interrupted, incomplete"],
    [/\bonly so\b/i, "only then"],
];

/** Returns a message for each phrase that the text contains. */
export function findPhrases(text: string, unwanted: Phrase[]): string[] {
    return unwanted.flatMap(([phrase, instead]) => {
        const [match] = phrase.exec(text) ?? [];
        return match === undefined ? [] : [`"${match}"; write: ${instead}`];
    });
}

/** Names in code are no words. */
export function withoutCode(text: string): string {
    return text.replace(/`[^`]*`/g, "code");
}

/** The sentences of a docstring: its paragraphs, list items and tags end one, too. */
export function sentencesOf(docstring: string): string[] {
    return docstring
        .replace(/\{@\w+ ([^}]*)\}/g, "$1")
        .split(/\n\s*\n|\n\s*(?=[-*] |\d\. |@)/)
        .flatMap((paragraph) => paragraph.replace(/\s+/g, " ").split(/(?<=[.!?][)"]?) (?=["(]?[A-Z0-9]|code)/))
        .map((sentence) => sentence.trim());
}

export function wordsOf(sentence: string): string[] {
    return sentence.split(/\s+/).filter((word) => /[a-z0-9]/i.test(word));
}
