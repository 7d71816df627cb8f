/** SQLite as a source and a sink of rows: `node:sqlite` in Node 22.13 and later and in Deno, `bun:sqlite` in Bun. */
export type { OnError } from '../../connect/on-error.ts'
export type { Row, SqliteConnection, SqliteDatabase, SqlValue } from './driver.ts'
export { readSqlite, type ReadSqliteOptions } from './read.ts'
export type { SqliteParam } from './values.ts'
export { writeSqlite, type WriteSqliteOptions, type Written } from './write.ts'
