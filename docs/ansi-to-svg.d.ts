declare module "ansi-to-svg" {
    /** Draws text with a terminal's colours. */
    function ansiToSvg(text: string): string;
    export = ansiToSvg;
}
