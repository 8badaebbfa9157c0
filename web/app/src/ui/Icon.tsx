/** Icon shows one of icons.ts. It says nothing: what it stands in has a name. `mirrored`: it points along the line. */
export function Icon(props: { readonly path: string; readonly small?: boolean; readonly mirrored?: boolean }) {
  return (
    <svg class="icon" classList={{ 'icon-small': props.small ?? false, 'icon-mirrored': props.mirrored ?? false }} viewBox="0 0 24 24" aria-hidden="true">
      <path d={props.path} />
    </svg>
  )
}

/** Mark is Plenum's sign: the rows of an assembly, seen from above. */
export function Mark() {
  return (
    <svg class="mark" viewBox="0 0 24 24" aria-hidden="true">
      <path fill="none" stroke="currentColor" stroke-width="2.6" stroke-linecap="round" d="M2.8 17.5a9.2 9.2 0 0 1 18.4 0M7.4 17.5a4.6 4.6 0 0 1 9.2 0" />
      <circle cx="12" cy="17.6" r="1.9" fill="currentColor" class="mark-speaker" />
    </svg>
  )
}
