/**
 * The order of the subjects in a turn, from 1. MinIO still works on one subject's data while the next one is measured.
 * So in as many turns as an even number of subjects, each one has each place once, and follows each other one once (a
 * Williams design). Of an odd number, it follows each other one once in twice as many turns.
 */
export function orderOf<T>(turn: number, subjects: T[]): T[] {
    const { length } = subjects;
    // The numbers 0, 1, -1, 2, -2 and so on: each difference occurs once.
    const steps = subjects.map((_, place) => (place % 2 ? (place + 1) / 2 : length - place / 2));
    const order = steps.map((step) => subjects[(step + turn - 1) % length]!);
    const isRepeated = Math.floor((turn - 1) / length) % 2 === 1;
    return isRepeated ? order.reverse() : order;
}
