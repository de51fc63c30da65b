import js from "@eslint/js";
import sortImports from "eslint-plugin-simple-import-sort";
import tseslint from "typescript-eslint";

export default tseslint.config(
    { ignores: ["node_modules/", "sandbox/.state/", "components/dist/"] },
    js.configs.recommended,
    {
        plugins: { "simple-import-sort": sortImports },
        rules: { "simple-import-sort/imports": "error", "simple-import-sort/exports": "error" },
    },
    {
        files: ["**/*.ts"],
        extends: [tseslint.configs.recommendedTypeChecked],
        languageOptions: { parserOptions: { projectService: true } },
        rules: {
            "@typescript-eslint/no-unused-vars": ["error", { ignoreRestSiblings: true }],
            // An Output in a template literal prints a warning into the value.
            "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
            "prefer-arrow-callback": "error",
            // Where a component creates its children, `parent` says more than `this`.
            "@typescript-eslint/no-this-alias": ["error", { allowedNames: ["parent"] }],
        },
    },
    {
        // The product: the program and the component.
        files: ["*.ts", "configuration/**/*.ts", "preflight/**/*.ts", "components/**/*.ts"],
        rules: {
            "max-lines-per-function": ["error", { max: 60, skipBlankLines: true, skipComments: true }],
            // Prettier breaks neither comments nor strings.
            "max-len": ["error", { code: 120 }],
            "@typescript-eslint/no-non-null-assertion": "error",
        },
    },
    {
        // It walks the schema. An option does not make it longer.
        files: ["config.ts"],
        rules: { "max-lines": ["error", 130] },
    },
    {
        files: ["tests/**/*.ts"],
        // Mocha's suites of sentences.
        rules: { "@typescript-eslint/no-unused-expressions": "off" },
    },
    {
        files: ["**/*.js"],
        languageOptions: {
            sourceType: "commonjs",
            globals: { require: "readonly", module: "writable", console: "readonly" },
        },
    },
);
