import { Validation } from "../validation";
import { Metrics } from "./args";

/** Validates the metrics. */
export function validateMetrics(validation: Validation, metrics: Metrics | undefined): void {
    validation.refuse(
        metrics?.serviceMonitorLabels !== undefined && !metrics.serviceMonitor,
        "metrics.serviceMonitorLabels",
        "is given, but there is no ServiceMonitor; switch the ServiceMonitor on, or leave it out",
    );
}
