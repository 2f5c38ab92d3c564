// The technician's UI. `RISER_API` names the gateway that `vite dev` talks to.
import { defineConfig } from 'vite';
import { riserApp } from '../web-kit/vite.shared.ts';

export default defineConfig(riserApp(process.env['RISER_API'] ?? 'http://127.0.0.1:8080'));
