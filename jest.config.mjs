/** One project a kind of test, so that `npm test` stays a matter of seconds. */
const project = (displayName, testMatch, options) => ({
  displayName,
  testMatch,
  testEnvironment: "node",
  transform: { "^.+\\.ts$": ["ts-jest", { diagnostics: false }] },
  ...options,
});

/** See test/support/environment.ts. */
const sharedCdktf = {
  testEnvironment: "<rootDir>/test/support/environment.ts",
  moduleNameMapper: {
    "^cdktf$": "<rootDir>/test/support/shared/cdktf.ts",
    "^constructs$": "<rootDir>/test/support/shared/constructs.ts",
  },
};

export default {
  projects: [
    project("unit", ["<rootDir>/test/*.test.ts"], sharedCdktf),
    project("terraform", ["<rootDir>/test/terraform/*.test.ts"]),
    project("package", ["<rootDir>/test/package/*.test.ts"]),
    project("rehearsal", ["<rootDir>/rehearsal/**/*.test.ts"]),
  ],
};
