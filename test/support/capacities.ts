/** The capacities every channel law is checked at; the contract makes no exception for any of them. */
export const CAPACITIES = [0, 1, 2, 10, 100, Infinity] as const

/** Those at which a channel can hold a value, and those at which it can also be full. */
export const BUFFERED = CAPACITIES.filter((capacity) => capacity > 0)
export const BOUNDED = CAPACITIES.filter((capacity) => capacity < Infinity)
