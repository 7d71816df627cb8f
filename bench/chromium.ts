// Headless Chromium, from Debian's package, for what shows and measures the live page.

import { existsSync } from 'node:fs'
import { type Browser, chromium } from 'playwright-core'

const candidates = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser']
export const chromiumPath = candidates.find((path) => path !== undefined && existsSync(path))

/** Nothing is fetched but the page. */
const quiet = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

export function openChromium(): Promise<Browser> {
  if (chromiumPath === undefined)
    throw new Error(
      'Chromium is needed: install it (Debian: apt-get install chromium) or name it in CHROMIUM',
    )
  return chromium.launch({ executablePath: chromiumPath, args: quiet })
}
