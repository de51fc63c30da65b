/** The official images run as root, but here nothing needs it. */
const uid = 1000;

/** The security context of a pod, by the Pod Security Standard "restricted". */
export const restrictedPodSecurityContext = {
    runAsNonRoot: true,
    runAsUser: uid,
    runAsGroup: uid,
    fsGroup: uid,
    seccompProfile: { type: "RuntimeDefault" },
};

/** The security context of each container of such a pod. */
export const restrictedContainerSecurityContext = {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ["ALL"] },
};
