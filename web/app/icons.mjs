// Writes src/ui/icons.ts: the paths of the icons of lucide (ISC) that the application uses, each one string, so that only what is used is bundled.
// Add a name and run `node icons.mjs`.
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const names = `hash lock search menu x check chevron-down chevron-right plus bell bell-off message-square-text ellipsis pencil pin link users settings sun moon
  monitor contrast log-out keyboard wifi-off refresh-cw circle-alert circle-check eye eye-off copy send-horizontal bold italic code list text-quote
  compass arrow-left arrow-up arrow-down shield scroll-text mail-plus laptop smartphone clock circle-question-mark square-pen face-slightly-smiling-plus
  user-round trash inbox at-sign check-check corner-down-right calendar-days user-round-plus user-round-minus archive archive-restore chevron-left megaphone`
  .trim()
  .split(/\s+/)

const nodes = JSON.parse(readFileSync(createRequire(import.meta.url).resolve('lucide-static/icon-nodes.json'), 'utf8'))

/** Each shape as a path's data. */
const data = {
  path: (a) => absolute(a.d),
  line: (a) => `M${a.x1} ${a.y1}L${a.x2} ${a.y2}`,
  polyline: (a) => `M${a.points}`,
  polygon: (a) => `M${a.points}Z`,
  circle: (a) => ellipse(+a.cx, +a.cy, +a.r, +a.r),
  ellipse: (a) => ellipse(+a.cx, +a.cy, +a.rx, +a.ry),
  rect: (a) => rect(+(a.x ?? 0), +(a.y ?? 0), +a.width, +a.height, +(a.rx ?? a.ry ?? 0)),
}

/** absolute lets a path begin where it means to, behind another one: its first move is relative to nothing, and what follows it is relative to that. */
function absolute(d) {
  return d.replace(/^m\s*(-?[\d.]+)[\s,]*(-?[\d.]+)(?=\s*([-\d.])?)/, (_, x, y, more) => `M${x} ${y}${more === undefined ? '' : 'l'}`)
}

function ellipse(x, y, rx, ry) {
  return `M${x - rx} ${y}a${rx} ${ry} 0 1 0 ${2 * rx} 0a${rx} ${ry} 0 1 0 ${-2 * rx} 0`
}

function rect(x, y, w, h, r) {
  const arc = (dx, dy) => (r === 0 ? '' : `a${r} ${r} 0 0 1 ${dx} ${dy}`)
  return `M${x + r} ${y}h${w - 2 * r}${arc(r, r)}v${h - 2 * r}${arc(-r, r)}h${2 * r - w}${arc(-r, -r)}v${2 * r - h}${arc(r, -r)}Z`
}

let text = '// Written by icons.mjs from lucide (ISC licence). Do not edit.\n'
for (const name of names) {
  const shapes = nodes[name]
  if (!shapes) throw new Error(`lucide has no icon ${name}`)
  const d = shapes.map(([shape, attributes]) => data[shape](attributes)).join('')
  text += `export const ${name.replace(/-(.)/g, (_, c) => c.toUpperCase())}Icon = '${d}'\n`
}
writeFileSync(new URL('src/ui/icons.ts', import.meta.url), text)
