/** whenIdle does something once the page has loaded and has nothing else to do. */
export function whenIdle(does: () => void): void {
  const idle = () => {
    if ('requestIdleCallback' in window) requestIdleCallback(does, { timeout: 5_000 })
    else setTimeout(does, 1_000) // Safari
  }
  if (document.readyState === 'complete') idle()
  else window.addEventListener('load', idle, { once: true })
}
