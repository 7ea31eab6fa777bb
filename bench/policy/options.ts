/** What every measurement of the policy layer is told. */
export interface Options {
  /** Below the system's temporary folder; removed afterwards by whoever made it. */
  readonly folder: string
  /** For a look, not for a claim. */
  readonly quick: boolean
  /** What is filled is filled with all that its target names. */
  readonly full?: boolean
  /** Silent sign-ons per second of the server's CPU, where the same run has measured them. */
  readonly silentSignOns?: number | undefined
  say(line: string): void
}
