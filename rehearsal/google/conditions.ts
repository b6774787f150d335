import { invalidArgument } from "./errors";

/** What an IAM condition may ask about. */
export interface ConditionAttributes {
  readonly "resource.name": string;
  readonly "resource.type": string;
  readonly "resource.service": string;
}

/**
 * Evaluates the part of the Common Expression Language that storage grants use: `startsWith`, `endsWith`,
 * `==`, `!=`, `&&`, `||`, `!` and parentheses over resource.name, resource.type and resource.service.
 *
 * @throws GoogleError 400 where the expression is outside that part
 */
export function evaluateCondition(expression: string, attributes: ConditionAttributes): boolean {
  return new Parser(expression, attributes).parse();
}

const TOKEN = /\s*(&&|\|\||==|!=|[!()]|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[A-Za-z_][A-Za-z0-9_.]*)/y;

class Parser {
  private readonly tokens: string[] = [];
  private position = 0;

  constructor(
    private readonly expression: string,
    private readonly attributes: ConditionAttributes,
  ) {
    TOKEN.lastIndex = 0;
    while (expression.slice(TOKEN.lastIndex).trim() !== "") {
      const match = TOKEN.exec(expression);
      if (!match) throw this.unsupported();
      this.tokens.push(match[1]);
    }
  }

  public parse(): boolean {
    const value = this.disjunction();
    if (this.position < this.tokens.length) throw this.unsupported();
    return value;
  }

  private disjunction(): boolean {
    let value = this.conjunction();
    while (this.accept("||")) value = this.conjunction() || value;
    return value;
  }

  private conjunction(): boolean {
    let value = this.negation();
    while (this.accept("&&")) value = this.negation() && value;
    return value;
  }

  private negation(): boolean {
    if (this.accept("!")) return !this.negation();
    if (!this.accept("(")) return this.comparison();
    const value = this.disjunction();
    this.expect(")");
    return value;
  }

  private comparison(): boolean {
    const [, attribute, method] =
      /^(resource\.(?:name|type|service))(?:\.(startsWith|endsWith))?$/.exec(this.next()) ?? [];
    if (!attribute) throw this.unsupported();
    const value = this.attributes[attribute as keyof ConditionAttributes];
    if (method) {
      this.expect("(");
      const argument = this.text();
      this.expect(")");
      return method === "startsWith" ? value.startsWith(argument) : value.endsWith(argument);
    }
    const operator = this.next();
    if (operator !== "==" && operator !== "!=") throw this.unsupported();
    return (value === this.text()) === (operator === "==");
  }

  private text(): string {
    const token = this.next();
    if (!/^["']/.test(token)) throw this.unsupported();
    return token.slice(1, -1).replace(/\\(.)/g, "$1");
  }

  private accept(token: string): boolean {
    if (this.tokens[this.position] !== token) return false;
    this.position++;
    return true;
  }

  private expect(token: string): void {
    if (!this.accept(token)) throw this.unsupported();
  }

  private next(): string {
    return this.tokens[this.position++] ?? "";
  }

  private unsupported() {
    return invalidArgument(`Condition expression cannot be evaluated: ${this.expression}`);
  }
}
