/** Whether a text has whole characters only: half of a pair has no UTF-8. */
export function isWellFormed(text: string): boolean {
  // Newer than what TypeScript is told of.
  return (text as unknown as { isWellFormed(): boolean }).isWellFormed()
}
