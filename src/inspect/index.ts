/**
 * sluice/inspect: to see what a run is doing. All of it only looks, and costs nothing per value.
 */

export { inspect, type InspectOptions, type Inspector } from './inspect.ts'
export { toDot, toMermaid, type PictureOptions } from './pictures.ts'
export { toSvg } from './svg.ts'
