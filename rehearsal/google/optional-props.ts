import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  createSourceFile,
  forEachChild,
  isInterfaceDeclaration,
  isPropertySignature,
  ScriptTarget,
} from "typescript";

const LIB = join(__dirname, "../../lib/contracts");

/** Names of the optional properties that an interface of the library declares itself. */
export function optionalProps(file: string, interfaceName: string): string[] {
  const text = readFileSync(join(LIB, file), "utf8");
  const names: string[] = [];
  forEachChild(createSourceFile(file, text, ScriptTarget.Latest), (node) => {
    if (!isInterfaceDeclaration(node) || node.name.text !== interfaceName) return;
    for (const member of node.members) {
      if (isPropertySignature(member) && member.questionToken !== undefined && "text" in member.name) {
        names.push(member.name.text);
      }
    }
  });
  if (names.length === 0)
    throw new Error(`${file} has no interface ${interfaceName} with optional properties`);
  return names;
}
