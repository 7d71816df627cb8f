// How many bytes a job allocates on the heap of JavaScript. V8 says before and after each collection how much of
// its heap is used; what the heap gained between two collections has been allocated there. The sum is exact (an
// object of one field in a loop comes out at its 32 bytes) and costs nothing between collections; buffers outside
// the heap are not in it. The total that V8 keeps itself, `total_allocated_bytes`, is not in Node 20, and a sampling
// profiler only estimates.

import { GCProfiler, getHeapStatistics } from 'node:v8'

/** Runs `job` and returns the bytes that were allocated meanwhile. */
export async function bytesAllocatedBy(job: () => Promise<unknown>): Promise<number> {
  const profiler = new GCProfiler()
  const used = () => getHeapStatistics().used_heap_size
  let left = used()
  let bytes = 0
  profiler.start()
  await job()
  const end = used()
  for (const { beforeGC, afterGC } of profiler.stop().statistics) {
    bytes += beforeGC.heapStatistics.usedHeapSize - left
    left = afterGC.heapStatistics.usedHeapSize
  }
  return bytes + end - left
}
