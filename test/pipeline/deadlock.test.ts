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

  test.concurrent('tells what failed before as the cause', async () => {
    const { stdout, stderr } = await runProgram('failed-beside-a-stuck-call')
    expect(stderr).toBe('')
    expect(stdout).toBe('Stage "map" failed: boom\n')
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

  test.concurrent(
    'says which pipeline hangs, where it was made, and what each of its stages waits for',
    async () => {
      const { code, stderr } = await runProgram('stuck-mapper-unawaited')
      expect(stderr).toMatch(
        /DeadlockError: Deadlock in pipeline "pipeline", made at \S*stuck-mapper-unawaited\.ts:5:\d+, nothing else runs:/,
      )
      expect(stderr).toContain(
        '\n  stage 1 "map" waits for 1 call of its function to return\n  stage 2 "forEach" waits for a value\n',
      )
      expect(stderr).not.toContain('stage 0')
      expect(code).toBe(1)
    },
  )

  test.concurrent('says so beside the channel whose sender was forgotten', async () => {
    const { stderr } = await runProgram('forgotten-sender')
    expect(stderr).toMatch(
      /Deadlock on channel "orders", .*open\n +sender made at \S*forgotten-sender\.ts:4:\d+\n +receiver made at .*\nPipeline "pipeline", made at \S*forgotten-sender\.ts:6:\d+:\n/,
    )
    const places = ['sender', 'receiver'].map(
      (side) => `\\n {6}${side} made at \\S*forgotten-sender\\.ts:4:\\d+`,
    )
    expect(stderr).toMatch(
      new RegExp(
        `  stage 0 "source" waits for channel "orders", 1 sender and 1 receiver open${places.join('')}\n`,
      ),
    )
    expect(stderr).toContain('\n  stage 1 "map" waits for a value\n  stage 2 "toArray" waits for a value\n')
  })

  test.concurrent('names the branch that holds up the others, and each of its stages below it', async () => {
    const { stdout } = await runProgram('stuck-branch')
    const [title, ...lines] = stdout.trimEnd().split('\n')
    expect(title).toMatch(
      /^DeadlockError: Deadlock in pipeline "diamond", made at \S*stuck-branch\.ts:9:\d+, nothing else runs:$/,
    )
    expect(lines).toEqual([
      '  stage 0 "range" waits for room (1 of 1)',
      '  stage 1 "fanOut" waits for branch "waiting" to take a value',
      '    branch "waiting": stage 0 "waiting room" waits for what it has called',
      '    branch "plain": stage 0 "plain branch" waits for a value',
      '  stage 2 "map" waits for a value',
    ])
  })

  test.concurrent(
    'hears of a channel first, with a picture of all runs, then of each run, and of those that follow',
    async () => {
      const { code, stdout, stderr } = await runProgram('stuck-in-turn')
      const errors = stdout.split(/^(?=DeadlockError|the end)/m)
      expect(errors.map((text) => text.split('\n')[0].replace(/, (made at|nothing else).*/, ''))).toEqual([
        'DeadlockError: Deadlock on channel "lonely"',
        'DeadlockError: Deadlock in pipeline "first"',
        'DeadlockError: Deadlock in pipeline "second"',
        'DeadlockError: Deadlock in pipeline "third"',
        'the end true',
      ])
      for (const run of ['first', 'second']) expect(errors[0]).toContain(`\nPipeline "${run}", made at `)
      expect(errors[0]).toContain('\n  stage 1 "own" waits for what it has called\n')
      expect(errors[1]).not.toContain('"second"')
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    },
  )
}, 20_000)

test('the report of a pipeline within a stage names no place for the receiver that the stage was given', async () => {
  const { stdout } = await runProgram('pipeline-in-a-stage')
  expect(stdout).toContain('\nPipeline "inner", made at ')
  expect(stdout).toContain(
    '\n  stage 0 "source" waits for channel "source", 1 receiver open\n  stage 1 "drain" waits for a value\n',
  )
})

test('a program in which a call hangs whose result nobody wants any more ends well', async () => {
  expect(await runProgram('unwanted-call')).toEqual({ code: 0, stdout: 'result [ 0 ]\n', stderr: '' })
}, 20_000)

test('a program whose pipelines ended, were left, stopped or aborted exits with code 0 and says nothing', async () => {
  const { code, stdout, stderr } = await runProgram('finished')
  expect(stderr).toBe('')
  expect(stdout.replace(/\s+/g, ' ').trim()).toBe("[ [ '0', '1', '2' ] ] [ 7 ] aborted")
  expect(code).toBe(0)
}, 20_000)
