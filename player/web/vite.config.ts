import { defineConfig } from 'vitest/config'

// The relay embeds `dist/` and serves the page at `/<room>`: what the page names is absolute, what a
// script names is relative to the script, so that the element also works from another folder or site.
export default defineConfig({
  build: {
    target: 'es2022',
    sourcemap: false,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      input: { index: 'index.html', studio: 'studio.html', 'live-room': 'src/element/live-room.ts' },
      preserveEntrySignatures: 'allow-extension',
      output: {
        entryFileNames: (chunk) => (chunk.name === 'live-room' ? 'live-room.js' : 'assets/[name]-[hash].js'),
      },
    },
  },
  worker: { format: 'es' },
  experimental: {
    renderBuiltUrl: (filename, { hostType }) => (hostType === 'html' ? `/${filename}` : { relative: true }),
  },
  test: { environment: 'node', include: ['src/**/*.test.ts'] },
})
