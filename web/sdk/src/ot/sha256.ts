// The constants of FIPS 180-4: the first 32 bits of the fractional parts of the cube roots of the first 64 primes, and of the square roots of the
// first eight.
const cubeRoots = new Int32Array(64)
const squareRoots = new Int32Array(8)

/** fraction is the first 32 bits behind the point of a positive number below 2^20, of a root: as many as a double still has. */
const fraction = (root: number) => ((root - Math.floor(root)) * 2 ** 32) | 0

for (let n = 2, found = 0; found < 64; n++) {
  let prime = true
  for (let i = 2; i * i <= n; i++) prime &&= n % i !== 0
  if (!prime) continue
  cubeRoots[found] = fraction(Math.cbrt(n))
  if (found < 8) squareRoots[found] = fraction(Math.sqrt(n))
  found++
}

/**
 * sha256 is the SHA-256 (FIPS 180-4) of a text in UTF-8. Browsers have one of their own, but for pages that came over TLS alone, and as a promise:
 * the client's state could not wait for it.
 */
export function sha256(text: string): Uint8Array {
  const data = new TextEncoder().encode(text)
  const padded = new Uint8Array(((data.length + 72) >> 6) << 6)
  padded.set(data)
  padded[data.length] = 0x80
  const view = new DataView(padded.buffer)
  view.setUint32(padded.length - 8, Math.floor(data.length / 2 ** 29))
  view.setUint32(padded.length - 4, (data.length << 3) >>> 0)
  const state = squareRoots.slice()
  const words = new Int32Array(64)
  for (let at = 0; at < padded.length; at += 64) {
    for (let i = 0; i < 16; i++) words[i] = view.getInt32(at + 4 * i)
    round(state, words)
  }
  const out = new Uint8Array(32)
  const hash = new DataView(out.buffer)
  for (const [i, word] of state.entries()) hash.setInt32(4 * i, word)
  return out
}

/** round takes another 16 words into the state. */
function round(state: Int32Array, words: Int32Array): void {
  for (let i = 16; i < 64; i++) {
    const x = words[i - 15] as number
    const y = words[i - 2] as number
    const s0 = turned(x, 7) ^ turned(x, 18) ^ (x >>> 3)
    const s1 = turned(y, 17) ^ turned(y, 19) ^ (y >>> 10)
    words[i] = ((words[i - 16] as number) + s0 + (words[i - 7] as number) + s1) | 0
  }
  let a = state[0] as number
  let b = state[1] as number
  let c = state[2] as number
  let d = state[3] as number
  let e = state[4] as number
  let f = state[5] as number
  let g = state[6] as number
  let h = state[7] as number
  for (let i = 0; i < 64; i++) {
    const s1 = turned(e, 6) ^ turned(e, 11) ^ turned(e, 25)
    const s0 = turned(a, 2) ^ turned(a, 13) ^ turned(a, 22)
    const one = (h + s1 + ((e & f) ^ (~e & g)) + (cubeRoots[i] as number) + (words[i] as number)) | 0
    const two = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0
    h = g
    g = f
    f = e
    e = (d + one) | 0
    d = c
    c = b
    b = a
    a = (one + two) | 0
  }
  state[0] = (state[0] as number) + a // wraps around, as all in an Int32Array
  state[1] = (state[1] as number) + b
  state[2] = (state[2] as number) + c
  state[3] = (state[3] as number) + d
  state[4] = (state[4] as number) + e
  state[5] = (state[5] as number) + f
  state[6] = (state[6] as number) + g
  state[7] = (state[7] as number) + h
}

const turned = (x: number, n: number) => (x >>> n) | (x << (32 - n))

/** hex writes bytes as hexadecimal digits. */
export const hex = (bytes: Uint8Array) => Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('')
