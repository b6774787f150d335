/**
 * Transforms a module into one that takes what Node.js has loaded outside the sandbox of the test file: see environment.ts.
 */
export default { process: () => ({ code: "module.exports = globalThis.requireOutside(__filename);" }) };
