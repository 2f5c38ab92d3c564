// The theme the page is painted in just now, for what reads its colours from the page: a canvas.
import { useSyncExternalStore } from 'react';

const ATTRIBUTE = 'data-mantine-color-scheme';

function subscribe(listener: () => void): () => void {
  const observer = new MutationObserver(listener);
  observer.observe(document.documentElement, { attributeFilter: [ATTRIBUTE] });
  return () => observer.disconnect();
}

/** Changes only once the page has its new colours; Mantine's own hook may be a moment earlier. */
export function usePaintedScheme(): string {
  return useSyncExternalStore(subscribe, () => document.documentElement.getAttribute(ATTRIBUTE) ?? 'light');
}
