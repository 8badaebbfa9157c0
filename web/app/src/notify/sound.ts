const tones = [660, 880] // Hz, one behind the other
const each = 0.09 // s
const loud = 0.05 // of 1

let context: AudioContext | undefined

/** sound is two soft tones. Before the person has done anything in the page browsers keep it silent. */
export function sound(): void {
  context ??= new AudioContext()
  if (context.state !== 'running') void context.resume().catch(() => undefined) // it stays silent
  const begin = context.currentTime
  tones.forEach((hertz, n) => {
    if (!context) return
    const [tone, volume] = [context.createOscillator(), context.createGain()]
    const at = begin + n * each
    tone.frequency.value = hertz
    volume.gain.setValueAtTime(0, at)
    volume.gain.linearRampToValueAtTime(loud, at + 0.01)
    volume.gain.exponentialRampToValueAtTime(0.0001, at + 2 * each)
    tone.connect(volume).connect(context.destination)
    tone.start(at)
    tone.stop(at + 2 * each)
  })
}
