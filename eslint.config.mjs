import eslint from "@eslint/js";
import tseslint from "typescript-eslint";

const providerIndexes = ["google", "kubernetes", "helm"].map((name) => ({
  name: `@cdktf/provider-${name}`,
  message: "Import the class by its own path: a package index costs seconds and gigabytes.",
}));

export default tseslint.config(
  { ignores: ["dist", "cdktf.out", "coverage"] },
  eslint.configs.recommended,
  tseslint.configs.recommended,
  {
    files: ["**/*.ts"],
    rules: {
      "no-restricted-imports": ["error", { paths: providerIndexes }],
      "@typescript-eslint/explicit-member-accessibility": [
        "error",
        { overrides: { constructors: "no-public" } },
      ],
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_" }],
    },
  },
  {
    // What they read is what others print: Terraform, Kubernetes, Google's APIs.
    files: ["bench/**/*.ts", "rehearsal/**/*.ts", "scripts/**/*.ts", "test/**/*.ts"],
    rules: { "@typescript-eslint/no-explicit-any": "off" },
  },
  {
    files: ["**/*.mjs"],
    languageOptions: { globals: { console: "readonly", process: "readonly", URL: "readonly" } },
  },
);
