/** sluice/inspect: to see what a run is doing. Nothing of the core is in here: a run is looked at from outside. */

// A live page.
export { inspect, type InspectOptions, type Inspector } from './page/inspect.ts'

// On a terminal.
export { progress, type Progress, type ProgressOptions, type ProgressStream } from './progress/progress.ts'

// As a picture.
export { toDot, toMermaid, type PictureOptions } from './pictures/pictures.ts'
export { toSvg } from './pictures/svg.ts'
