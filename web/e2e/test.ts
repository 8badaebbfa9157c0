import { expect, test as base } from '@playwright/test'
import { Workspace } from './people.ts'
import { Plenum } from './plenum.ts'
import { Watch } from './watch.ts'

export { expect }

interface Fixtures {
  /** A workspace of the test's own; its owner is @ada. */
  workspace: Workspace
  /** What goes wrong in the test's own context: anything fails the test in the end. Tests that make contexts watch them by new Watch(context). */
  watch: Watch
}

/** test is Playwright's, with a Plenum that all tests of a file share, started with the `flags` that the file uses. One that kills it has it back up again before it ends. */
export const test = base.extend<Fixtures, { plenum: Plenum; flags: readonly string[] }>({
  flags: [[], { option: true, scope: 'worker' }],
  plenum: [
    async ({ flags }, use) => {
      const plenum = await Plenum.start(...flags)
      await use(plenum)
      await plenum.stop()
    },
    { scope: 'worker', timeout: 90_000 },
  ],
  baseURL: async ({ plenum }, use) => use(plenum.origin),
  workspace: async ({ plenum }, use) => use(await Workspace.make(plenum)),
  watch: [
    async ({ context, plenum }, use, info) => {
      const watch = new Watch(context)
      await use(watch)
      if (info.status !== info.expectedStatus) await info.attach('plenum.log', { body: await plenum.logged(), contentType: 'text/plain' })
      expect(watch.problems).toEqual([])
    },
    { auto: true },
  ],
})
