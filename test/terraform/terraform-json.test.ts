import { TerraformOutput, TerraformStack, TerraformVariable, Testing } from "cdktf";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { terraformJson } from "../../lib/private/terraform/json";
import { runTerraform } from "../../rehearsal/terraform/command";
import { testWithPlugins } from "../support/terraform";

/** The outputs of a stack that has nothing else, as Terraform computes them. */
function outputsOf(stack: TerraformStack): any {
  const folder = mkdtempSync(join(tmpdir(), "terraform-json-"));
  try {
    writeFileSync(join(folder, "cdk.tf.json"), Testing.synth(stack));
    const run = (...args: string[]) => {
      const { exitCode, stdout, stderr } = runTerraform(args, { folder, env: process.env });
      if (exitCode !== 0) throw new Error(stderr);
      return stdout;
    };
    run("init");
    run("apply", "-auto-approve");
    return JSON.parse(run("output", "-json"));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

testWithPlugins("Terraform puts any text together with what it alone knows", () => {
  const stack = new TerraformStack(Testing.app(), "stack");
  const known = 'in"side\\${}';
  const variable = new TerraformVariable(stack, "known", { default: known }).stringValue;
  const texts = ['q"', "b\\", "line\nbreak", "%{ if true }", "{\"a\": '1'}", "ünï", "\ttab"];
  new TerraformOutput(stack, "json", {
    value: terraformJson({ texts, mixed: texts.map((text) => `${text}|${variable}|${text}`), 'k"\\': 1 }),
  });

  expect(JSON.parse(outputsOf(stack).json.value)).toEqual({
    texts,
    mixed: texts.map((text) => `${text}|${known}|${text}`),
    'k"\\': 1,
  });
});
