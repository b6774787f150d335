/** One project a kind of test, so that `npm test` stays a matter of seconds. */
const project = (displayName, testMatch) => ({
  displayName,
  testMatch,
  testEnvironment: "node",
  transform: { "^.+\\.ts$": ["ts-jest", { diagnostics: false }] },
});

export default {
  projects: [
    project("unit", ["<rootDir>/test/*.test.ts"]),
    project("terraform", ["<rootDir>/test/terraform/*.test.ts"]),
    project("package", ["<rootDir>/test/package/*.test.ts"]),
    project("rehearsal", ["<rootDir>/rehearsal/**/*.test.ts"]),
  ],
};
