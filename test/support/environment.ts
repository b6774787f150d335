import { TestEnvironment } from "jest-environment-node";

/**
 * Lets all test files of a worker share cdktf and the provider classes, where Jest would load them anew for each file and
 * for each app that it synthesizes, which takes longer than most tests. What is shared is outside the sandbox of a test file.
 */
export default class SharedCdktfEnvironment extends TestEnvironment {
  public override async setup(): Promise<void> {
    await super.setup();
    this.global.requireOutside = require;
    // That cdktf reads its settings from the worker's environment variables, so that is where tests set them.
    this.global.process.env = process.env;
    // Every token notes where it was made: nobody reads that here, and it would take a third of the time.
    Object.assign(await import("cdktf/lib/tokens/private/stack-trace"), { captureStackTrace: () => [] });
  }
}
