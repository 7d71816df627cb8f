/** `sluice/postgres`: the rows of a query as a source, a table as a sink. */
export { readPostgres, type ReadPostgresOptions } from './read.ts'
export type { Row } from './rows.ts'
export type { PostgresConnection } from './session.ts'
export { writePostgres, type WritePostgresOptions } from './write.ts'
export type { PostgresWritten } from './writing.ts'
