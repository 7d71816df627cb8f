import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { checks } from '../../bench/compare/checks/index.ts'
import { peers } from '../../bench/compare/peers/index.ts'
import { explain, markers, put, render, take } from '../../bench/compare/table.ts'
import { root } from './sources.ts'

const names = peers.map(({ name }) => name)

describe('the comparison in the README', () => {
  const { intro, head, rows, legend } = take(readFileSync(`${root}/README.md`, 'utf8'))

  it('has a column for each peer', () => {
    expect(head).toEqual(['', ...names])
  })

  it('has a row for each check, and says what it does and when it is ✓', () => {
    expect(rows.map(([title]) => title)).toEqual(checks.map(({ title }) => title))
    expect(legend).toEqual(checks.map(explain))
  })

  it('has a verdict with what was measured in every cell, or n/a', () => {
    const cells = rows.flatMap((row) => row.slice(1))
    expect(cells).toHaveLength(checks.length * peers.length)
    expect(cells.filter((cell) => !/^([✓✗] \S.*|n\/a)$/.test(cell))).toEqual([])
  })

  it('says when it was measured, with which Node, and which version of each peer', () => {
    expect(intro).toMatch(/^Measured \d{4}-\d\d-\d\d with Node \d+\.\d+\.\d+, /)
    for (const name of peers.flatMap(({ packages }) => packages)) {
      expect(intro).toMatch(new RegExp(`, ${name} \\d+\\.\\d+\\.\\d+[,:]`))
    }
  })

  it('has an answer of ours in every row, and a good one', () => {
    const ours = rows.map((row) => row[1 + names.indexOf('sluice')])
    expect(ours.filter((cell) => !cell.startsWith('✓'))).toEqual([])
  })
})

describe('the table', () => {
  const [check] = checks
  const report = {
    date: '2026-01-31',
    versions: ['Node 20.0.0', 'one 1.2.3'],
    columns: ['one', 'two'],
    rows: [{ check, cells: ['✓ 1 / 2', 'n/a'] }],
  }
  const readme = `# Title\n\n${markers[0]}\n\nold\n\n${markers[1]}\n\nThe rest.\n`

  it('is put between the markers and read back', () => {
    const written = put(readme, render(report))
    expect(take(written)).toEqual({
      intro: 'Measured 2026-01-31 with Node 20.0.0, one 1.2.3:',
      head: ['', 'one', 'two'],
      rows: [[check.title, '✓ 1 / 2', 'n/a']],
      legend: [explain(check)],
    })
    expect(written).toMatch(/^# Title\n\n/)
    expect(written).toMatch(/\n\nThe rest\.\n$/)
    expect(written).not.toContain('old')
  })

  it('stays as it is when it is put there once more', () => {
    const once = put(readme, render(report))
    expect(put(once, render(report))).toBe(once)
  })

  it('cannot be put where no markers are', () => {
    expect(() => put('# Title\n', 'text')).toThrow(`README.md has no ${markers[0]} … ${markers[1]}`)
  })
})
