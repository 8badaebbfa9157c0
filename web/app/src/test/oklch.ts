/** From OKLCH to what WCAG computes with. https://bottosson.github.io/posts/oklab/, https://www.w3.org/TR/WCAG22/#dfn-relative-luminance */

export interface Oklch {
  /** 0 to 1. */
  readonly l: number
  readonly c: number
  /** Degrees. */
  readonly h: number
}

/** linear is a colour in linear sRGB; what lies outside is clipped, as browsers show it at the worst. */
export function linear({ l, c, h }: Oklch): readonly [r: number, g: number, b: number] {
  const a = c * Math.cos((h * Math.PI) / 180)
  const b = c * Math.sin((h * Math.PI) / 180)
  const x = (l + 0.3963377774 * a + 0.2158037573 * b) ** 3
  const y = (l - 0.1055613458 * a - 0.0638541728 * b) ** 3
  const z = (l - 0.0894841775 * a - 1.291485548 * b) ** 3
  const clip = (value: number) => Math.min(1, Math.max(0, value))
  return [
    clip(4.0767416621 * x - 3.3077115913 * y + 0.2309699292 * z),
    clip(-1.2684380046 * x + 2.6097574011 * y - 0.3413193965 * z),
    clip(-0.0041960863 * x - 0.7034186147 * y + 1.707614701 * z),
  ]
}

export function luminance(colour: Oklch): number {
  const [r, g, b] = linear(colour)
  return 0.2126 * r + 0.7152 * g + 0.0722 * b
}

/** contrast is WCAG's ratio of two colours: 1 to 21. */
export function contrast(a: Oklch, b: Oklch): number {
  const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x)
  return ((light ?? 0) + 0.05) / ((dark ?? 0) + 0.05)
}
