declare module 'virtual:modules' {
  /** The manifests of the folders that have a module.ts, but those that PLENUM_WITHOUT leaves out. */
  export const modules: readonly import('./module.ts').Manifest[]
}
