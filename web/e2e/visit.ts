import type { Browser, BrowserContext, BrowserContextOptions, Page } from '@playwright/test'
import { signIn } from './app.ts'
import type { Person } from './people.ts'
import { expect } from './test.ts'
import { Watch } from './watch.ts'

/** Visit is a browser's profile of its own, with a page in it: another person, or another device. */
export class Visit {
  readonly context: BrowserContext
  readonly page: Page
  readonly watch: Watch

  private constructor(context: BrowserContext, page: Page, watch: Watch) {
    this.context = context
    this.page = page
    this.watch = watch
  }

  /** begin opens the page at an origin, and signs a person in, where one is given. `prepare` is run before the page is made. */
  static async begin(browser: Browser, origin: string, person?: Person, options: BrowserContextOptions = {}, prepare?: (context: BrowserContext) => Promise<unknown>): Promise<Visit> {
    const context = await browser.newContext({ ...options, baseURL: origin })
    const watch = new Watch(context)
    await prepare?.(context)
    const page = await context.newPage()
    if (person !== undefined) await signIn(page, person)
    return new Visit(context, page, watch)
  }

  /** end closes it; whatever it complained about that nobody forgot fails the test. */
  async end(): Promise<void> {
    expect(this.watch.problems).toEqual([])
    await this.context.close()
  }
}
