import { Token } from "cdktf";

const MULTIPLIERS: { [suffix: string]: number } = {
  ...{ m: 1e-3, "": 1, k: 1e3, M: 1e6, G: 1e9, T: 1e12 },
  ...{ Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40 },
};

/** A number in a text, also one that only Terraform knows. */
export function numberText(value: number): string {
  return Token.isUnresolved(value) ? Token.asString(value) : `${value}`;
}

/** CPUs as Kubernetes writes them. */
export function cpuQuantity(cpu: number): string {
  return Token.isUnresolved(cpu) || Number.isInteger(cpu) ? numberText(cpu) : `${Math.round(cpu * 1000)}m`;
}

/** Memory as Kubernetes writes it. */
export function memoryQuantity(memoryGiB: number): string {
  const whole = Token.isUnresolved(memoryGiB) || Number.isInteger(memoryGiB);
  return whole ? `${numberText(memoryGiB)}Gi` : `${Math.round(memoryGiB * 1024)}Mi`;
}

/**
 * The number that a quantity stands for; 0 where it is not known.
 *
 * https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
 */
export function quantityValue(quantity: unknown): number {
  const [, digits, suffix] = /^([0-9.]+)([A-Za-z]*)$/.exec(String(quantity)) ?? [];
  return digits === undefined ? 0 : Number(digits) * (MULTIPLIERS[suffix] ?? 0);
}
