export = (globalThis as any).sharedModules.cdktf;
