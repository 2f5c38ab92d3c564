// How both apps are built: one folder of hashed files that a Rust binary embeds, nothing from outside.
import react from '@vitejs/plugin-react';
import type { UserConfig } from 'vite';

/** Vite settings of an app served from `/` beside its API. `backend` is only used by `vite dev`. */
export function riserApp(backend: string): UserConfig {
  return {
    plugins: [react()],
    build: {
      outDir: 'dist',
      emptyOutDir: true,
      target: 'es2022',
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      chunkSizeWarningLimit: 600,
    },
    server: { proxy: { '/api': { target: backend, ws: true }, '/openapi.json': backend } },
  };
}
