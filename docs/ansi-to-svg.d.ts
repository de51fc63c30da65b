declare module "ansi-to-svg" {
    /** Draws text with ANSI escape codes as an SVG image. */
    function ansiToSvg(text: string): string;
    export = ansiToSvg;
}
