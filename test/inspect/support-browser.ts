// Headless Chromium, from Debian's package.

import { existsSync } from 'node:fs'
import { type Browser, chromium } from 'playwright-core'

const candidates = [
  process.env.CHROMIUM,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
]
const executablePath = candidates.find((path) => path !== undefined && existsSync(path))

/** Nothing is fetched but the page under test. */
const quiet = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

export function openBrowser(): Promise<Browser> {
  if (executablePath === undefined)
    throw new Error(
      'These tests need Chromium: install it (Debian: apt-get install chromium) or name it in CHROMIUM',
    )
  return chromium.launch({ executablePath, args: quiet })
}
