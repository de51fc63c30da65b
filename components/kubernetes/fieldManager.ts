/**
 * An annotation of every object whose name is given: who owns its fields, by Kubernetes' book. Without it that is a new name for each
 * creation; of one that was killed and made again there would be two, and each later change a conflict between them.
 */
export const fieldManagerAnnotation = { "pulumi.com/patchFieldManager": "homelab-registry" };
