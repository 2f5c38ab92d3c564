// Entry of the dashboard: styles, providers, the app.
import { applyDensity, KitProvider, LinkProvider, Problem } from '@riser/kit';
import '@riser/kit/styles.css';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { Link } from 'wouter';
import { App } from './App';

applyDensity();

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 2000,
      // What the cloud has answered will not change by asking again; silence may.
      retry: (count, reason) => count < 2 && reason instanceof Problem && reason.status === 0,
    },
  },
});

const root = document.getElementById('root');
if (root) {
  createRoot(root).render(
    <StrictMode>
      <KitProvider>
        <LinkProvider value={Link}>
          <QueryClientProvider client={queries}>
            <App />
          </QueryClientProvider>
        </LinkProvider>
      </KitProvider>
    </StrictMode>,
  );
}
