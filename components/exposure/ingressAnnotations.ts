/** Annotations of an Ingress of ingress-nginx or a controller that reads the same ones, and of F5's for nginx. */
export const nginxAnnotations = {
    "nginx.ingress.kubernetes.io/ssl-redirect": "true",
    // One request carries a whole layer: accept any size, do not buffer it, and wait for a slow client.
    "nginx.ingress.kubernetes.io/proxy-body-size": "0",
    "nginx.ingress.kubernetes.io/proxy-request-buffering": "off",
    "nginx.ingress.kubernetes.io/proxy-read-timeout": "900",
    "nginx.ingress.kubernetes.io/proxy-send-timeout": "900",
    // Route to the Service, not to its pods: Traefik's provider for this class keeps sending requests to a pod that
    // stops.
    "nginx.ingress.kubernetes.io/service-upstream": "true",
    // Other controllers ignore these. F5's always buffers a layer on its disk.
    "nginx.org/client-max-body-size": "0",
    "nginx.org/proxy-read-timeout": "900s",
    "nginx.org/proxy-send-timeout": "900s",
};

/**
 * Annotations of an Ingress of Traefik. Traefik does not limit the body size. Timeouts and the redirect to https are
 * settings of its entry points; an Ingress cannot set them.
 */
export const traefikAnnotations: Record<string, string> = {
    "traefik.ingress.kubernetes.io/router.entrypoints": "websecure",
    "traefik.ingress.kubernetes.io/router.tls": "true",
};
