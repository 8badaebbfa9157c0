import { expect, test } from 'vitest'
import { MemoryStore } from './memory.ts'
import { recordingOf, sessionNames } from './recordings.ts'
import { Player, type Step } from './sessions.ts'

test.for(sessionNames())('the client comes to the same as the one in Go: %s', async (name) => {
  const players = new Map<number, Player>()
  for (const [i, step] of recordingOf<Step>(name).entries()) {
    const player = players.get(step.client) ?? new Player(new MemoryStore())
    players.set(step.client, player)
    const got = JSON.stringify(await player.play(step))
    if (got !== JSON.stringify(step)) expect(got, `step ${i + 1}`).toBe(JSON.stringify(step))
  }
})
