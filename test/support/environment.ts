import * as cdktf from "cdktf";
import * as stackTrace from "cdktf/lib/tokens/private/stack-trace";
import * as constructs from "constructs";
import { TestEnvironment } from "jest-environment-node";

// Every token notes where it was made: nobody reads that here, and it would take a third of the time.
Object.assign(stackTrace, { captureStackTrace: () => [] });

/**
 * Lets all test files of a worker share one cdktf, where Jest would load it anew for each of them and for each app that
 * they synthesize, which takes longer than most tests. What is loaded here is outside the sandbox of a test file.
 */
export default class SharedCdktfEnvironment extends TestEnvironment {
  constructor(...parameters: ConstructorParameters<typeof TestEnvironment>) {
    super(...parameters);
    this.global.sharedModules = { cdktf, constructs };
    // That cdktf reads its settings from the worker's environment variables, so that is where tests set them.
    this.global.process.env = process.env;
  }
}
