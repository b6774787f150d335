/** Options of the wait for the pods of a Ray cluster. */
export interface RayReadinessOptions {
  /**
   * The longest time, in minutes, that the pods may take to be Ready, nodes and images included. An image that cannot be pulled
   * for two minutes is not waited for any longer.
   * @default 20
   */
  readonly timeoutMinutes?: number;
  /**
   * Image for the Job that waits: anything with python3. Not the Ray cluster's own, which may be what is wrong.
   * @default - the default Ray image
   */
  readonly image?: string;
}
