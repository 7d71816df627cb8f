/** What `node:diagnostics_channel` is told of the runs of pipelines, written down in order, and what always holds of it. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { expect } from 'vitest'
import type { Run } from 'sluice'
import { turns } from './support-waiting.ts'

export const EVENTS = [
  'run:start',
  'run:end',
  'run:stall',
  'stage:start',
  'stage:end',
  'stage:failure',
] as const
export type EventName = (typeof EVENTS)[number]

export interface Message {
  run: Run<unknown>
  pipeline: unknown
  stage?: string
  id?: string
  error?: unknown
  value?: unknown
  attempts?: number
  fatal?: boolean
  report?: string
}

export interface Told extends Message {
  event: EventName
}

/** Calls `hear` for each message from now on. Gives what ends that. */
export function hearEvents(hear: (told: Told) => void, events: readonly EventName[] = EVENTS): () => void {
  const stops = events.map((event) => {
    const listener = (message: unknown) => hear({ event, ...(message as Message) })
    subscribe(`sluice:${event}`, listener)
    return () => void unsubscribe(`sluice:${event}`, listener)
  })
  return () => {
    for (const stop of stops) stop()
  }
}

/** Everything that is told while `work` goes on, and in the three turns after it. */
export async function eventsDuring(work: (told: Told[]) => Promise<unknown>): Promise<Told[]> {
  const told: Told[] = []
  const stop = hearEvents((each) => void told.push(each))
  try {
    await work(told)
    await turns(3)
  } finally {
    stop()
  }
  return told
}

/** As short text: `stage:end map`. */
export function shortly(told: readonly Told[]): string[] {
  return told.map(({ event, stage }) => (stage === undefined ? event : `${event} ${stage}`))
}

/** What holds of each run that has ended, however it went; told of several, each is looked at by itself. */
export function expectWhole(told: readonly Told[]): void {
  const runs = new Set(told.map(({ run }) => run))
  expect(runs.size).toBeGreaterThan(0)
  for (const run of runs) expectWholeRun(told.filter((each) => each.run === run))
}

function expectWholeRun(told: readonly Told[]): void {
  const events = told.map(({ event }) => event)
  expect(events.filter((event) => event === 'run:start' || event === 'run:end')).toEqual([
    'run:start',
    'run:end',
  ])
  expect(events[0]).toBe('run:start')
  expect(events.at(-1)).toBe('run:end')
  expect(new Set(told.map(({ pipeline }) => pipeline)).size).toBe(1)
  const names = new Map(told[0].run.describe().nodes.map(({ id, name }) => [id, name]))
  const open = new Set<string>()
  const ended = new Set<string>()
  for (const { event, id, stage } of told) {
    if (id === undefined) continue
    expect(stage).toBe(names.get(id))
    if (event === 'stage:start') {
      expect([...open, ...ended]).not.toContain(id)
      open.add(id)
    } else {
      expect(open, `${event} of a stage that is not open: ${stage}`).toContain(id)
      if (event === 'stage:end') {
        open.delete(id)
        ended.add(id)
      }
    }
  }
  expect([...open], 'stages without an end').toEqual([])
}

/** The ids of the stages that began. */
export const begun = (told: readonly Told[]): (string | undefined)[] =>
  told.filter(({ event }) => event === 'stage:start').map(({ id }) => id)
