/** The page as text: one file, with nothing loaded from elsewhere. */
import { clientFunctions, clientStart } from './client.ts'
import type { Picture } from './view.ts'

const css = `
:root{color-scheme:light dark;--page:#fff;--panel:#f6f8fa;--text:#1f2328;--faint:#59636e;--line:#8b949e;--grid:#d1d9e0;
--free:#2da88a;--half:#b58f00;--full:#d5521e;--free-fill:#a9e2d3;--half-fill:#f5da76;--full-fill:#f7b79c;--busy:#0969da;--input:#b9c3ce;--output:#7a4fbf;--mark:#c2410c}
@media (prefers-color-scheme:dark){:root{--page:#0d1117;--panel:#161b22;--text:#e6edf3;--faint:#9198a1;--line:#6e7681;--grid:#30363d;
--free:#2da88a;--half:#d0a800;--full:#ff7a45;--free-fill:#155f4e;--half-fill:#665200;--full-fill:#8c3210;--busy:#4493f8;--input:#484f58;--output:#a371f7;--mark:#ff8552}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--text);font:14px/1.45 system-ui,-apple-system,"Segoe UI","Noto Sans",Helvetica,Arial,sans-serif}
header{display:flex;flex-wrap:wrap;gap:4px 28px;align-items:baseline;padding:12px 20px;border-bottom:1px solid var(--grid)}
h1{font-size:18px;margin:0}h2{font-size:14px;margin:0 0 6px}
dl{display:flex;gap:6px;margin:0}dt{color:var(--faint)}dd{margin:0 16px 0 0;font-weight:600}#elapsed{width:11ch;height:1.45em;contain:strict}
.failed,.stalled{color:var(--mark)}
.failed::before{content:"✕ "}.stalled::before{content:"‖ "}.running::before{content:"▶ "}.ended::before,.aborted::before{content:"■ "}
main{display:flex;flex-wrap:wrap;gap:14px 20px;padding:14px 20px}#graph{flex:0 1 auto}#table{flex:1 1 800px;min-width:0}
.scroll{overflow:auto;max-width:100%;max-height:calc(100vh - 130px);contain:content}
:focus-visible{outline:2px solid var(--busy);outline-offset:2px}
#graph{position:relative}#graph svg{display:block}
.box,.gauge,.label{position:absolute;text-align:center;white-space:nowrap;contain:strict;font-variant-numeric:tabular-nums}
.box{background:var(--panel);border:1px solid var(--line);border-radius:6px;padding-top:7px;line-height:19px}.box.source{border-radius:18px}
.box.bottleneck{border:3px dashed var(--mark);padding-top:5px}
.box b,.box span{display:block;font-size:13px}.box span{color:var(--faint);font-size:12px}
.box i{display:block;height:7px;margin:4px 12px 0;background:linear-gradient(90deg,var(--busy) var(--a),var(--input) var(--a) var(--b),var(--output) var(--b) var(--c),transparent var(--c))}
.box.bottleneck i{margin-top:2px}
.line{fill:none;stroke:var(--line);stroke-width:1.5}
.gauge{--of:var(--free-fill);border:1px solid var(--line);border-radius:3px;background:linear-gradient(90deg,var(--of) var(--fill,0%),var(--page) var(--fill,0%));font-size:11px;line-height:14px}
.gauge.half{--of:var(--half-fill);border-color:var(--half)}.gauge.full{--of:var(--full-fill);border:2.5px solid var(--full);line-height:11px}
.label{font-size:11px;line-height:14px;color:var(--faint)}
i.busy{background:var(--busy)}i.input{background:var(--input)}i.output{background:var(--output)}
.table{min-width:800px;font-variant-numeric:tabular-nums}
.row{display:grid;grid-template-columns:minmax(0,17fr) repeat(7,minmax(0,7.5fr)) minmax(0,11fr) minmax(0,20fr);height:27px;border-bottom:1px solid var(--grid);contain:layout size style}
.row>*{padding:3px 8px;white-space:nowrap}
.head{height:64px;color:var(--faint);position:sticky;top:0;background:var(--page);align-items:end}.head>*{white-space:normal;contain:none}
.name,.doing{overflow:hidden;text-overflow:ellipsis}.row .name{font-weight:600}.number{text-align:right}
.row.bottleneck .name{color:var(--mark)}
.chart{width:60px;height:16px;display:block;overflow:visible}.chart polyline{fill:none;stroke:var(--busy);stroke-width:1.5}
#report{margin:0 20px;padding:8px 12px;border:1px solid var(--mark);border-radius:6px;white-space:pre-wrap;font-size:13px}
.legend{display:flex;flex-wrap:wrap;gap:2px 18px;color:var(--faint);font-size:12px;padding:0 20px}
.legend i{display:inline-block;width:18px;height:8px;margin-right:5px;border-radius:2px}
i.free{background:var(--free)}i.half{background:var(--half)}i.full{background:var(--full);outline:2px solid var(--full);outline-offset:1px}
#failed{padding:0 20px 20px}ol{list-style:none;margin:0;padding:0;max-height:260px;overflow:auto}
li{display:flex;gap:12px;padding:2px 0;border-bottom:1px solid var(--grid)}li span,li code{overflow-wrap:anywhere}time,em{color:var(--faint);white-space:nowrap}
#gone{color:var(--mark);font-weight:600}
[hidden]{display:none!important}
`.replaceAll('\n', '')

const columns = [
  ['Stage', ''],
  ...['In', 'Out', 'Failed', 'Per second', 'Busy', 'Waits for input', 'Waits for room'].map((name) => [
    name,
    'number',
  ]),
  ['Last minute', ''],
  ['Now', ''],
]

const body = `
<header>
<h1 id="name">…</h1>
<dl aria-live="polite"><dt>State</dt><dd id="state"></dd><dt>Bottleneck</dt><dd id="bottleneck"></dd></dl>
<dl><dt>Time</dt><dd id="elapsed"></dd></dl>
<span id="gone" role="status" hidden>The program is gone; this is the last picture of it.</span>
</header>
<pre id="report" role="alert" hidden></pre>
<main>
<section class="scroll" id="graph" tabindex="0" aria-label="Graph"></section>
<section class="scroll" id="table" tabindex="0" aria-label="Stages">
<div class="table" role="table" aria-label="Stages">
<div class="row head" role="row">${columns.map(([name, kind]) => `<span role="columnheader" class="${kind}">${name}</span>`).join('')}</div>
<div id="rows" role="rowgroup"></div></div>
</section>
</main>
<p class="legend"><span>Channels:</span><span><i class="free"></i>less than half full</span><span><i class="half"></i>half full</span><span><i class="full"></i>nearly full</span>
<span>Stages:</span><span><i class="busy"></i>busy</span><span><i class="input"></i>waits for input</span><span><i class="output"></i>waits for room</span></p>
<section id="failed" hidden><h2>Failed values</h2><ol id="failures" tabindex="0" aria-label="Failed values, the newest first"></ol></section>
`

/** A bundler may have put calls of this helper into the functions. */
const shim = 'var __name=(f)=>f;'

/** `nonce`: what tells the browser that the script and the style are ours. */
export function pageOf(picture: Picture, nonce: string): string {
  // No text of the picture may end the script.
  const data = JSON.stringify(picture).replaceAll('<', '\\u003c')
  const script = `${shim}${clientFunctions.map(String).join('\n')}\n${clientStart.name}(${data})`
  return (
    `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>sluice</title>` +
    `<meta name="viewport" content="width=device-width,initial-scale=1"><link rel="icon" href="data:,">` +
    `<style nonce="${nonce}">${css}</style></head><body>${body}<script nonce="${nonce}">${script}</script></body></html>`
  )
}
