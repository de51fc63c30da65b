/**
 * The order of the subjects in a round, from 1. MinIO still works on one subject's data while the next one is measured,
 * so each round begins with another subject, and every second round has the others in reverse. In as many rounds as an
 * even number of subjects, each one has each place once.
 */
export function orderOf<T>(round: number, subjects: T[]): T[] {
    const first = (round - 1) % subjects.length;
    const others = [...subjects.slice(first + 1), ...subjects.slice(0, first)];
    return [...subjects.slice(first, first + 1), ...(round % 2 ? others : others.reverse())];
}
