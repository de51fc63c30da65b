/**
 * The annotation of an object with a fixed name: a stable field manager for server-side apply. By default Pulumi
 * generates one for each creation. If a creation was interrupted and repeated, the object would have two, and each
 * later update would conflict.
 */
export const fieldManagerAnnotation = { "pulumi.com/patchFieldManager": "homelab-registry" };
