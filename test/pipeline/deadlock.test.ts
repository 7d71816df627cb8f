/** A program that can never go on fails loudly; each is run in a process of its own, where the loop may run dry. */
import { describe, expect, test } from 'vitest'
import { runProgram } from './support-programs.ts'

describe('a program whose pipeline can never go on', () => {
  test.concurrent('reports a DeadlockError and exits with code 1 where a sender was forgotten', async () => {
    const { code, stdout, stderr } = await runProgram('forgotten-sender')
    expect(stdout).toBe('')
    expect(stderr).toContain('DeadlockError')
    expect(stderr).toContain('orders')
    expect(stderr).toMatch(/forgotten-sender\.ts:\d+/)
    expect(code).toBe(1)
  })

  test.concurrent('reports it in a loop over several inputs, too, after what came through', async () => {
    const { code, stdout, stderr } = await runProgram('forgotten-sender-in-a-loop')
    expect(stdout.trim().split('\n').sort()).toEqual(['got 1', 'got 2'])
    expect(stderr).toContain('DeadlockError')
    expect(stderr).toContain('orders')
    expect(code).toBe(1)
  })

  test.concurrent('does not exit with code 0 where a mapper never settles', async () => {
    const { code, stdout } = await runProgram('stuck-mapper')
    expect(stdout).toBe('')
    expect(code).toBeGreaterThan(0)
  })

  test.concurrent(
    'exits with code 1 where a mapper never settles and nothing waits at the top level',
    async () => {
      const { code, stdout, stderr } = await runProgram('stuck-mapper-unawaited')
      expect(stdout).toBe('')
      expect(stderr).not.toBe('')
      expect(code).toBe(1)
    },
  )
}, 20_000)

test('a program whose pipelines ended, were left, stopped or aborted exits with code 0 and says nothing', async () => {
  const { code, stdout, stderr } = await runProgram('finished')
  expect(stderr).toBe('')
  expect(stdout.replace(/\s+/g, ' ').trim()).toBe("[ [ '0', '1', '2' ] ] [ 7 ] aborted")
  expect(code).toBe(0)
}, 20_000)
