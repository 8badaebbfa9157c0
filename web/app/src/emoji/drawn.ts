/** One emoji of each newer version of Emoji, the newest first: a device that draws it has the version. */
const samples: readonly (readonly [version: number, sign: string])[] = [
  [17, '🫪'], [16, '🫩'], [15, '🫨'], [14, '🫠'], [13, '🥲'], [12, '🥱'],
]

const side = 24 // px

/**
 * newestDrawn is the newest version that the device's font has. An emoji in colours is the same in whatever colour text is drawn; the box in place of one that
 * is missing isn't. Where nothing has colours, nothing can be told apart: all are shown then.
 */
export function newestDrawn(): number {
  const context = new OffscreenCanvas(side, side).getContext('2d', { willReadFrequently: true })
  if (!context) return Infinity
  context.font = `${side - 4}px "Apple Color Emoji", "Segoe UI Emoji", "Noto Color Emoji", sans-serif`
  context.textBaseline = 'top'
  const pixels = (sign: string, colour: string) => {
    context.clearRect(0, 0, side, side)
    context.fillStyle = colour
    context.fillText(sign, 0, 0)
    return context.getImageData(0, 0, side, side).data.join()
  }
  const drawn = (sign: string) => pixels(sign, 'black') === pixels(sign, 'white')
  if (!drawn('😀')) return Infinity
  return samples.find(([, sign]) => drawn(sign))?.[0] ?? 11
}
