// Everything an app must put around its pages: theme, density, announcements.
import { MantineProvider, localStorageColorSchemeManager } from '@mantine/core';
import type { ReactNode } from 'react';
import { AnnouncerProvider } from '../states/announce';
import { theme, resolveVariables } from './theme';

const schemes = localStorageColorSchemeManager({ key: 'riser-theme' });

export function KitProvider({ children, env }: { children: ReactNode; env?: 'default' | 'test' }) {
  return (
    <MantineProvider
      theme={theme}
      cssVariablesResolver={resolveVariables}
      colorSchemeManager={schemes}
      defaultColorScheme="auto"
      env={env ?? 'default'}
    >
      <AnnouncerProvider>{children}</AnnouncerProvider>
    </MantineProvider>
  );
}
