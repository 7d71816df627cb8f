/** A copy of a list or a record of the user's, so that what becomes of it later does not matter. Anything else is itself. */
export function ownCopy<T>(given: T): T {
  if (Array.isArray(given)) return [...(given as unknown[])] as T
  return typeof given === 'object' && given !== null ? { ...given } : given
}
