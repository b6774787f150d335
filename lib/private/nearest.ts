import { Annotations, Token } from "cdktf";
import { IConstruct } from "constructs";

/** The word of a list that takes the fewest changes of letters to come to. */
export function nearest(word: string, words: readonly string[]): string {
  const distances = words.map((candidate) => distance(word.toLowerCase(), candidate.toLowerCase()));
  return words[distances.indexOf(Math.min(...distances))];
}

/** Warns of a name that is not in a list which Google extends, and says which known one is the nearest. */
export function warnUnlessKnown(
  scope: IConstruct,
  property: string,
  value: string | undefined,
  kind: string,
  known: readonly string[],
): void {
  if (value === undefined || Token.isUnresolved(value) || known.includes(value)) return;
  Annotations.of(scope).addWarning(
    `'${property}' is no ${kind} that is known here, got ${JSON.stringify(value)}; the nearest known is ${JSON.stringify(nearest(value, known))}`,
  );
}

/** https://en.wikipedia.org/wiki/Levenshtein_distance */
function distance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let i = 1; i <= one.length; i++) {
    const next = [i];
    for (let j = 1; j <= other.length; j++) {
      const replaced = row[j - 1] + (one[i - 1] === other[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j] + 1, next[j - 1] + 1));
    }
    row = next;
  }
  return row[other.length];
}
