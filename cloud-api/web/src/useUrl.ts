// Filters and ranges live in the URL, so every view is a link to send to a colleague.
import { useCallback } from 'react';
import { useSearchParams } from 'wouter';

/** The parameters of the URL, and a way to change some of them; null or empty removes one. */
export function useUrl(): [URLSearchParams, (changes: Record<string, string | null>) => void] {
  const [params, setParams] = useSearchParams();
  const change = useCallback(
    (changes: Record<string, string | null>) => {
      setParams(
        (old) => {
          const next = new URLSearchParams(old);
          for (const [key, value] of Object.entries(changes)) {
            if (value === null || value === '') next.delete(key);
            else next.set(key, value);
          }
          return next;
        },
        { replace: true },
      );
    },
    [setParams],
  );
  return [params, change];
}
