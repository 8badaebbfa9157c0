// Stands at /sw.js where the application has no service worker: it takes the place of one that a browser has from before, deletes the files that it kept, has
// the pages that were served from them loaded anew, and is gone. What people read and write (IndexedDB) it leaves alone.
const kept = 'plenum-shell-'

self.addEventListener('install', (event) => {
  event.waitUntil(self.skipWaiting())
  // Chromium may forget, where the worker before was busy as this one was installed.
  for (const later of [1_000, 5_000, 15_000]) setTimeout(() => self.skipWaiting(), later)
})
self.addEventListener('activate', (event) => event.waitUntil(retire()))

async function retire() {
  const names = (await caches.keys()).filter((name) => name.startsWith(kept))
  await Promise.all(names.map((name) => caches.delete(name)))
  await self.registration.unregister()
  if (names.length === 0) return // registered anew by a page that came from the network: to load that again would never end
  for (const page of await self.clients.matchAll({ type: 'window' })) page.navigate(page.url).catch(() => undefined)
}
