export = (globalThis as any).sharedModules.constructs;
