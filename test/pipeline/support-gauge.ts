/** Counts calls: how many there were, how many are in flight, and how many were at the same time. */
export function gauge() {
  const seen = { now: 0, most: 0, calls: 0 }
  const during = async <T>(work: () => Promise<T>): Promise<T> => {
    seen.calls++
    seen.most = Math.max(seen.most, ++seen.now)
    try {
      return await work()
    } finally {
      seen.now--
    }
  }
  return { seen, during }
}
