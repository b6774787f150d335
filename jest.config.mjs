const TYPESCRIPT = { "\\.ts$": ["ts-jest", { diagnostics: false }] };

/** One project a kind of test, so that `npm test` stays a matter of seconds. */
const project = (displayName, testMatch, options) => ({
  displayName,
  testMatch,
  testEnvironment: "node",
  transform: TYPESCRIPT,
  ...options,
});

/** See test/support/environment.ts. */
const sharedCdktf = {
  testEnvironment: "<rootDir>/test/support/environment.ts",
  transform: {
    ...TYPESCRIPT,
    "/node_modules/(cdktf|constructs|@cdktf)/": "<rootDir>/test/support/outside.mjs",
  },
  transformIgnorePatterns: ["/node_modules/(?!(cdktf|constructs|@cdktf)/)"],
};

export default {
  projects: [
    project("unit", ["<rootDir>/test/*.test.ts"], sharedCdktf),
    project("terraform", ["<rootDir>/test/terraform/*.test.ts"]),
    project("package", ["<rootDir>/test/package/*.test.ts"]),
    project("rehearsal", ["<rootDir>/rehearsal/**/*.test.ts"]),
  ],
};
