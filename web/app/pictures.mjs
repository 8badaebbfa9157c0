// Writes public/icons/*.png, of the mark in public/icon.svg, by a Chromium: what tabs and home screens show. They are committed; run `node pictures.mjs` after a
// change of the mark. A tab's are no SVG: Chromium reads them again whenever the address changes, and a document is made of each SVG, of half a megabyte.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { chromium } from '@playwright/test'

const at = (name) => new URL(`public/${name}`, import.meta.url)
const mark = readFileSync(at('icon.svg'), 'utf8')

// Full: systems cut a shape out of it themselves, and keep what lies within 80 % of the middle (W3C, maskable icons); so does Apple's.
const whole = mark.replace(/<rect[^>]*>/, '<rect width="32" height="32" fill="#006852"/><g transform="translate(3.2 3.2) scale(0.8)">').replace('</svg>', '</g></svg>')
const unread = mark.replace('</svg>', '<circle cx="24.6" cy="7.4" r="6.2" fill="#e6443a" stroke="#fff" stroke-width="1.6"/></svg>')

mkdirSync(at('icons'), { recursive: true })
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--headless=new', '--no-sandbox', '--disable-gpu'] })
for (const [name, svg, size] of [
  ['tab', mark, 64],
  ['tab-unread', unread, 64],
  ['192', mark, 192],
  ['512', mark, 512],
  ['maskable-192', whole, 192],
  ['maskable-512', whole, 512],
  ['apple-touch', whole, 180],
]) {
  const page = await browser.newPage({ viewport: { width: size, height: size } })
  await page.setContent(`<style>body { margin: 0 } svg { display: block; width: ${size}px; height: ${size}px }</style>${svg}`)
  writeFileSync(at(`icons/${name}.png`), await page.screenshot({ omitBackground: true }))
  await page.close()
}
await browser.close()
