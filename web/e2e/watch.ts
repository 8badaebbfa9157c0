import type { BrowserContext, Page, Request } from '@playwright/test'

/** Watch notes what goes wrong in the pages of a context without anybody seeing it, and what they ask for. */
export class Watch {
  /** Errors of scripts, of the console, and of the Content-Security-Policy. */
  readonly problems: string[] = []
  /** Every request, in order. */
  readonly requests: Request[] = []

  constructor(context: BrowserContext) {
    context.on('page', (page) => { this.#follow(page) })
    context.on('request', (request) => this.requests.push(request))
    context.on('weberror', (error) => this.problems.push(`error: ${error.error().stack ?? error.error().message}`))
    context.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') this.problems.push(`console: ${message.text()} (${message.location().url})`)
    })
  }

  /** forget takes what a test expected, and returns it. */
  forget(): string[] {
    return this.problems.splice(0)
  }

  #follow(page: Page): void {
    page.on('crash', () => this.problems.push(`crash: ${page.url()}`))
  }
}
