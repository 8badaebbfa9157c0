/** What /sw.js runs: web/app/worker.ts builds it, with the list of all files in place of BUILD. */
import { serve, type Build, type Scope } from './serve.ts'

declare const BUILD: Build

serve(globalThis as unknown as Scope, BUILD)
