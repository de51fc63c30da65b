import { labels } from "../kubernetes/rules";
import { Validation } from "../rules";
import { Metrics } from "./args";

/** Validates the metrics. */
export function validateMetrics(validation: Validation, metrics: Metrics | undefined): void {
    validation.check("metrics.serviceMonitorLabels", metrics?.serviceMonitorLabels, labels);
    if (metrics?.serviceMonitorLabels !== undefined && !metrics.serviceMonitor) {
        validation.add(
            "metrics.serviceMonitorLabels",
            `has no effect without ${validation.nameOf("metrics.serviceMonitor")}; set it to true, or leave it out`,
        );
    }
}
