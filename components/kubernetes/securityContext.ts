/** The official images run as root, but need nothing of it here. */
const uid = 1000;

/** What a pod may do: no more than Pod Security's "restricted" asks for. */
export const restrictedPodSecurityContext = {
    runAsNonRoot: true,
    runAsUser: uid,
    runAsGroup: uid,
    fsGroup: uid,
    seccompProfile: { type: "RuntimeDefault" },
};

/** What each of its containers may do. */
export const restrictedContainerSecurityContext = {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ["ALL"] },
};
