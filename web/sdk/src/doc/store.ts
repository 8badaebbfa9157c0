/** Journal keeps what a document's client has to know after a restart: texts, in order. */
export interface Journal {
  /** read is all that was written since the last rewrite. */
  read(): Promise<string[]>
  /** append writes some behind the others: all of them or none. When it resolves, they are there after a crash. */
  append(texts: readonly string[]): Promise<void>
  /** rewrite writes these in place of all, likewise. */
  rewrite(texts: readonly string[]): Promise<void>
  close(): void
}

/** Store has a journal for each document. */
export interface Store {
  /**
   * open takes a document's journal over: whoever had it open before can't write any more, and is told TakenOverError. So there is no lock that a
   * page which died could leave behind.
   */
  open(document: string): Promise<Journal>
}

/** TakenOverError says that the document was opened elsewhere since, as in another tab, with all that was written here. */
export class TakenOverError extends Error {
  override readonly name = 'TakenOverError'

  constructor() {
    super('this document was opened elsewhere, with all that was typed here: go on there, or open it here again')
  }
}
