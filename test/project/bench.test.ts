import { describe, expect, it } from 'vitest'
import { logScale } from '../../bench/chart/svg.ts'
import { brief, digits } from '../../bench/format.ts'
import { judge } from '../../bench/goals.ts'
import type { Row } from '../../bench/measure.ts'

const row = (name: string, middle: number): Row => ({ name, time: { middle, low: middle, high: middle } })

describe('the goals of the benchmarks', () => {
  const rows: Row[] = [
    row('loop', 2),
    { ...row('sluice', 10), peak: 61 },
    row('rxjs', 35),
    { name: 'go chan' },
  ]

  it('compare the speed of two rows', () => {
    const goal = 'at least 3 × as fast as rxjs'
    expect(judge({ rival: 'rxjs', atLeast: 3 }, rows)).toEqual({ goal, reached: '3.50 ×', met: true })
    expect(judge({ rival: 'rxjs', atLeast: 4 }, rows).met).toBe(false)
  })

  it('compare the time of two rows', () => {
    expect(judge({ rival: 'loop', atMost: 5 }, rows)).toMatchObject({ reached: '5.00 ×', met: true })
    expect(judge({ rival: 'loop', atMost: 4 }, rows).met).toBe(false)
    expect(judge({ row: 'rxjs', rival: 'loop', atMost: 5 }, rows).goal).toMatch(/^rxjs: at most 5 ×/)
  })

  it('hold a figure against a number', () => {
    expect(judge({ figure: 'peak', atMost: 60 }, rows)).toMatchObject({ reached: '61.0 MB', met: false })
    expect(judge({ perSecond: 100e6 }, rows)).toMatchObject({ reached: '100 million', met: true })
  })

  it('stay open where something was not measured', () => {
    expect(judge({ rival: 'go chan', atMost: 1 }, rows)).toMatchObject({ reached: 'n/a', met: undefined })
    expect(judge({ figure: 'p99', atMost: 12 }, rows).met).toBeUndefined()
  })

  it('are reached where one of several is', () => {
    const short = { perSecond: 200e6 }
    const open = { rival: 'go chan', atMost: 1 }
    expect(judge({ anyOf: [short, { rival: 'loop', atMost: 5 }] }, rows).met).toBe(true)
    expect(judge({ anyOf: [short, open] }, rows).met).toBe(false)
    expect(judge({ anyOf: [open] }, rows).met).toBeUndefined()
  })
})

describe('the pictures of the benchmarks', () => {
  it('have whole powers of ten around all numbers', () => {
    const { ticks, at } = logScale([3, 450])
    expect(ticks).toEqual([1, 10, 100, 1000])
    expect(at(1)).toBe(0)
    expect(at(1000)).toBe(1)
    expect(logScale([10, 10]).ticks).toEqual([10, 100])
  })

  it('write numbers shortly', () => {
    expect([0.25, 4.2, 35.5, 1234].map(digits)).toEqual(['0.25', '4.20', '35.5', '1,234'])
    expect([0.1, 1, 100, 10_000, 1_000_000].map(brief)).toEqual(['0.1', '1', '100', '10k', '1M'])
  })
})
