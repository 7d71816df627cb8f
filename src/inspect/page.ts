/** The page as text: one file, with nothing loaded from elsewhere. */
import { clientFunctions, clientStart } from './client.ts'
import type { Picture } from './view.ts'

const css = `
:root{color-scheme:light dark;--page:#fff;--panel:#f6f8fa;--text:#1f2328;--faint:#59636e;--line:#8b949e;--grid:#d1d9e0;
--free:#2da88a;--half:#e3b505;--full:#d5521e;--busy:#0969da;--input:#b9c3ce;--output:#7a4fbf;--mark:#d5521e}
@media (prefers-color-scheme:dark){:root{--page:#0d1117;--panel:#161b22;--text:#e6edf3;--faint:#9198a1;--line:#6e7681;--grid:#30363d;
--free:#1b7f68;--half:#8f7200;--full:#c2410c;--busy:#4493f8;--input:#484f58;--output:#a371f7;--mark:#ff8552}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--text);font:14px/1.45 system-ui,-apple-system,"Segoe UI","Noto Sans",Helvetica,Arial,sans-serif}
header{display:flex;flex-wrap:wrap;gap:4px 28px;align-items:baseline;padding:12px 20px;border-bottom:1px solid var(--grid)}
h1{font-size:18px;margin:0}h2{font-size:14px;margin:0 0 6px}
header div,dl{display:flex;gap:6px;margin:0}dt{color:var(--faint)}dd{margin:0 16px 0 0;font-weight:600}
.failed,.stalled{color:var(--mark)}
.failed::before{content:"✕ "}.stalled::before{content:"‖ "}.running::before{content:"▶ "}.ended::before{content:"■ "}
main{display:grid;grid-template-columns:fit-content(48%) minmax(0,1fr);gap:0 20px;padding:14px 20px}
@media (max-width:1100px){main{grid-template-columns:minmax(0,1fr)}}
.scroll{overflow:auto;max-height:calc(100vh - 130px);contain:content}
:focus-visible{outline:2px solid var(--busy);outline-offset:2px}
svg text{fill:var(--text);text-anchor:middle;dominant-baseline:central;font-size:12px;font-variant-numeric:tabular-nums}
.box{fill:var(--panel);stroke:var(--line)}.bottleneck .box{stroke:var(--mark);stroke-width:3;stroke-dasharray:7 3}
.stage .name{font-weight:600;font-size:13px}.stage .rate{fill:var(--faint)}
.line{fill:none;stroke:var(--line);stroke-width:1.5}
.gauge{fill:var(--page);stroke:var(--line)}.free rect+rect{fill:var(--free)}.half rect+rect{fill:var(--half)}.full rect+rect{fill:var(--full)}
.full .gauge{stroke:var(--full);stroke-width:2.5}.half .gauge{stroke:var(--half)}
.caption{font-size:11px;paint-order:stroke;stroke:var(--page);stroke-width:3px}.label{font-size:11px;fill:var(--faint);paint-order:stroke;stroke:var(--page);stroke-width:4px}
rect.busy,i.busy{fill:var(--busy);background:var(--busy)}rect.input,i.input{fill:var(--input);background:var(--input)}rect.output,i.output{fill:var(--output);background:var(--output)}
table{border-collapse:separate;border-spacing:0;table-layout:fixed;width:100%;min-width:860px;font-variant-numeric:tabular-nums}
th,td{padding:3px 8px;border-bottom:1px solid var(--grid);text-align:left;font-weight:400;white-space:nowrap;overflow:hidden}
thead th{color:var(--faint);position:sticky;top:0;background:var(--page);white-space:normal;vertical-align:bottom}
tbody th,.doing{text-overflow:ellipsis}tbody th{font-weight:600}.number{text-align:right}thead .number{text-align:right}
col.name{width:17%}col.number{width:7.5%}col.minute{width:11%}
tr.bottleneck th{color:var(--mark)}
.chart{width:100%;height:16px;display:block}.chart polyline{fill:none;stroke:var(--busy);stroke-width:1.5;vector-effect:non-scaling-stroke}
#report{margin:0 20px;padding:8px 12px;border:1px solid var(--mark);border-radius:6px;white-space:pre-wrap;font-size:13px}
.legend{display:flex;flex-wrap:wrap;gap:2px 18px;color:var(--faint);font-size:12px;padding:0 20px}
.legend i{display:inline-block;width:18px;height:8px;margin-right:5px;border-radius:2px}
i.free{background:var(--free)}i.half{background:var(--half)}i.full{background:var(--full);outline:2px solid var(--full);outline-offset:1px}
#failed{padding:0 20px 20px}ol{list-style:none;margin:0;padding:0;max-height:260px;overflow:auto}
li{display:flex;gap:12px;padding:2px 0;border-bottom:1px solid var(--grid)}li span,li code{overflow-wrap:anywhere}time,em{color:var(--faint);white-space:nowrap}
#gone{color:var(--mark);font-weight:600}
[hidden]{display:none!important}
`.replaceAll('\n', '')

const columns = ['In', 'Out', 'Failed', 'Per second', 'Busy', 'Waits for input', 'Waits for room']

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
<section class="scroll" tabindex="0" aria-label="Stages">
<table><colgroup><col class="name"><col span="7" class="number"><col class="minute"><col></colgroup>
<thead><tr><th scope="col">Stage</th>${columns.map((name) => `<th scope="col" class="number">${name}</th>`).join('')}<th scope="col">Last minute</th><th scope="col">Now</th></tr></thead>
<tbody id="rows"></tbody></table>
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
