/**
 * `sluice/io`: files at both ends of a pipeline.
 *
 * ```text
 * orders.csv ─▶ readCsv ─▶ … ─▶ writeJsonl ─▶ paid.jsonl
 * ```
 */
export { checkpoint, type CheckpointOptions, type Job, type JobResult } from './checkpoint/checkpoint.ts'
export { FormatError, type Place } from './files/format-error.ts'
export type { Inputs } from './files/inputs.ts'
export { type LineOptions, readBytes, readJsonl, readLines } from './files/read-lines.ts'
export type { FileOptions } from './files/rows.ts'
export { type CsvOptions, type CsvRow, readCsv } from './files/read-csv.ts'
export type { ColumnType, ColumnValue } from './files/csv-columns.ts'
export type { CsvFormat } from './files/csv-format.ts'
export { type CsvWriteOptions, writeCsv } from './files/write-csv.ts'
export { writeJsonl, writeLines } from './files/write-lines.ts'
export type { FileWriteOptions, Written } from './files/write-file.ts'
export type { ReadOptions } from '../connect/chunk-source.ts'
export type { WriteOptions } from '../connect/chunk-sink.ts'
export type { OnError } from '../connect/on-error.ts'

// The durable log file.
export { appendLog, type AppendLogOptions } from './log/append-log.ts'
export { type Log, type LogSummary, openLog, type OpenLogOptions } from './log/open-log.ts'
export type { FlushOptions, LogLevel, LogOptions, RotateOptions } from './log/options.ts'
export type { LogPosition } from './log/position.ts'
