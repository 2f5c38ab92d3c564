// One test run for the kit and both apps, in a simulated browser.
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  plugins: [react()],
  test: {
    environment: 'happy-dom',
    include: [
      'gateway/web-kit/tests/**/*.test.{ts,tsx}',
      'gateway/web/tests/**/*.test.{ts,tsx}',
      'cloud-api/web/tests/**/*.test.{ts,tsx}',
    ],
    setupFiles: ['gateway/web-kit/tests/setup.ts'],
    css: { modules: { classNameStrategy: 'non-scoped' } },
    restoreMocks: true,
  },
});
