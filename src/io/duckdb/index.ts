/** DuckDB as a source and a sink of rows, and Parquet by way of it. Needs `@duckdb/node-api`. */
export type { OnError } from '../../connect/on-error.ts'
export type { Columns } from './columns.ts'
export type { DuckDbDatabase } from './database.ts'
export type { Param, Params } from './params.ts'
export {
  readParquet,
  type ReadParquetOptions,
  writeParquet,
  type WriteParquetOptions,
  type WrittenParquet,
} from './parquet.ts'
export { type DuckDbValueOptions, readDuckDb, type ReadDuckDbOptions } from './read.ts'
export type { Row } from './reading.ts'
export { writeDuckDb, type WriteDuckDbOptions, type Written } from './write.ts'
