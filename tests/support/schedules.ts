/** Schedules and time zones that Kubernetes accepts, and such that it refuses. */
export const schedules = {
    accepted: [
        "0 4 * * 0",
        "*/15 2-4 1,15 * mon-fri",
        "59 23 31 12 6",
        "0-59/7 ? ? JAN-dec sun,Sat",
        "5/10 04 1-31/31 2 *",
        " 0 4 * * 0 ",
        "@daily",
    ],
    refused: [
        "0 4 * * 7",
        "0 4 * * sat-sun",
        "0 4 * * abc",
        "0 4 * mon *",
        "0 4 * 13 *",
        "0 4 0 * *",
        "0 4 32 * *",
        "0 24 * * *",
        "60 4 * * *",
        "99 99 * * *",
        "-1 4 * * *",
        "5-1 4 * * *",
        "1-2-3 4 * * *",
        "*/0 * * * *",
        "// * * * *",
        "1.5 4 * * *",
        "0 4 * *",
        "0 0 4 * * 0",
        "TZ=UTC 0 4 * * 0",
        "@reboot",
    ],
};
export const timeZones = {
    accepted: ["UTC", "Etc/GMT+1", "Europe/Berlin", "Europe/Kyiv", "Asia/Kolkata", "America/Port-au-Prince", "CET"],
    refused: ["Local", "Europe/Nowhere", "+01:00", "../Europe/Berlin"],
};
