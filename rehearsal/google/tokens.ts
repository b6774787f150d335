import { randomBytes } from "node:crypto";

interface Token {
  readonly member: string;
  readonly expires: number;
}

/** Access tokens: random, each remembered with the IAM member it stands for. */
export class Tokens {
  private readonly tokens = new Map<string, Token>();

  /** Makes a new token for a member. */
  public issue(member: string, lifetimeSeconds: number): string {
    const token = `ya29.${randomBytes(32).toString("base64url")}`;
    this.accept(token, member, lifetimeSeconds);
    return token;
  }

  /** Takes a token that somebody else made up, such as the one Terraform is given. */
  public accept(token: string, member: string, lifetimeSeconds: number): void {
    this.tokens.set(token, { member, expires: Date.now() + lifetimeSeconds * 1000 });
  }

  public expire(token: string): void {
    this.tokens.delete(token);
  }

  /** The member a token stands for, or nothing when it is unknown or has expired. */
  public member(token: string): string | undefined {
    const known = this.tokens.get(token);
    return known && known.expires > Date.now() ? known.member : undefined;
  }
}
