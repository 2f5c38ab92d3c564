// The operator's dashboard. `RISER_CLOUD` names the server that `vite dev` talks to.
import { defineConfig } from 'vite';
import { riserApp } from '../../gateway/web-kit/vite.shared.ts';

export default defineConfig(riserApp(process.env['RISER_CLOUD'] ?? 'http://127.0.0.1:8090'));
