import { test } from 'vitest'
import { answered } from './engine.ts'
import { Random } from './mix.ts'
import { questionsOf } from './questions.ts'
import { recorded, rounds, seed } from './recordings.ts'
import { sessionOf } from './recorder.ts'

test('every answer of the engine is the one that was recorded for the client in Go', () => {
  const r = new Random(seed)
  recorded('engine.json', Array.from({ length: rounds(40) }, () => questionsOf(r)).flat().map(answered))
})

test('sessions are what they were recorded to be for the client in Go', { timeout: 600_000 }, async () => {
  for (let i = 0; i < rounds(6); i++) recorded(`session-${String(i).padStart(2, '0')}.json`, await sessionOf(seed * 1000 + i))
})
