/**
 * The order of the subjects in a turn, from 1. MinIO still works on one subject's data while the next one is measured,
 * so each turn begins with another subject, and every second turn has the others in reverse. In as many turns as an
 * even number of subjects, each one has each place once.
 */
export function orderOf<T>(turn: number, subjects: T[]): T[] {
    const first = (turn - 1) % subjects.length;
    const others = [...subjects.slice(first + 1), ...subjects.slice(0, first)];
    return [...subjects.slice(first, first + 1), ...(turn % 2 ? others : others.reverse())];
}

/** The numbers of a scenario's turns in a round, from 1 in the first round: `perRound` of them, at most `most`. */
export function turnsOf(round: number, perRound: number, most: number): number[] {
    const inRounds = (rounds: number) => Math.ceil(rounds * Math.min(perRound, most));
    const before = inRounds(round - 1);
    return Array.from({ length: inRounds(round) - before }, (_, index) => before + index + 1);
}
