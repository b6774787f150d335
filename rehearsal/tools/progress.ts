/** Says what is going on: a ticking line on a terminal, plain lines elsewhere. */
export class Progress {
  private readonly terminal = process.stdout.isTTY === true;

  public line(text: string): void {
    process.stdout.write(`${text}\n`);
  }

  /** Runs one step and reports its name and time. */
  public async step<T>(title: string, work: () => Promise<T>): Promise<T> {
    const started = Date.now();
    const clock = () => `${((Date.now() - started) / 1000).toFixed(1)} s`;
    const interval = this.terminal ? 500 : 60_000;
    if (!this.terminal) {
      this.line(`${title} ...`);
    }
    const timer = setInterval(() => this.tick(`${title} ... ${clock()}`), interval);
    try {
      const result = await work();
      this.finish(`${title}: done, ${clock()}`);
      return result;
    } catch (error) {
      this.finish(`${title}: failed after ${clock()}`);
      throw error;
    } finally {
      clearInterval(timer);
    }
  }

  private tick(text: string): void {
    process.stdout.write(this.terminal ? `\r\x1b[K${text}` : `${text}\n`);
  }

  private finish(text: string): void {
    process.stdout.write(this.terminal ? `\r\x1b[K${text}\n` : `${text}\n`);
  }
}
