import { expect, test } from 'vitest'
import { answered, type Question } from './engine.ts'
import { recordingOf } from './recordings.ts'

test('the engine answers as the one in Go', () => {
  const questions = recordingOf<Question>('engine/go.json')
  expect(questions.length).toBeGreaterThan(0)
  for (const q of questions) {
    const got = JSON.stringify(answered(q))
    if (got !== JSON.stringify(q)) expect(got).toBe(JSON.stringify(q))
  }
})
