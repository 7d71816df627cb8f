/** Half a million log lines of about 150 bytes. As flat strings: they come from one text, as from a file. */
export function logLines(): string[] {
  const lines = Array.from({ length: 500_000 }, (_, i) => {
    const request = (i * 2_654_435_761) % 4_294_967_296
    return (
      `{"level":"${['info', 'info', 'warn', 'error'][i % 4]}","time":${1_700_000_000_000 + i},` +
      `"message":"request ${request} took ${i % 977} ms","host":"web-${i % 9}","path":"/items/${i % 10_000}","status":200}`
    )
  })
  return Buffer.from(lines.join('\n')).toString('latin1').split('\n')
}
