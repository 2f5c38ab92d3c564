// How the person wants it to look: theme and row density, kept on this browser only.
import { SegmentedControl, useMantineColorScheme } from '@mantine/core';
import { useState } from 'react';
import css from './Preferences.module.css';

const DENSITY_KEY = 'riser-density';
type Density = 'comfortable' | 'compact';

function storedDensity(): Density {
  try {
    return localStorage.getItem(DENSITY_KEY) === 'compact' ? 'compact' : 'comfortable';
  } catch {
    return 'comfortable';
  }
}

/** Puts the stored density on the page; called once before the first paint. */
export function applyDensity(density: Density = storedDensity()): void {
  document.documentElement.dataset.density = density;
}

export function ThemeChoice() {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  return (
    <div className={css.row}>
      <div id="theme-label">
        <div className={css.name}>Theme</div>
        <div className={css.hint}>Dark is made for a dark plant room, light for a bright desk.</div>
      </div>
      <SegmentedControl
        aria-labelledby="theme-label"
        value={colorScheme}
        onChange={(next) => setColorScheme(next as 'auto' | 'light' | 'dark')}
        data={[
          { value: 'auto', label: 'As the device' },
          { value: 'light', label: 'Light' },
          { value: 'dark', label: 'Dark' },
        ]}
      />
    </div>
  );
}

export function DensityChoice() {
  const [density, setDensity] = useState<Density>(storedDensity);
  const change = (next: string) => {
    const chosen = next as Density;
    setDensity(chosen);
    applyDensity(chosen);
    try {
      localStorage.setItem(DENSITY_KEY, chosen);
    } catch {
      // A browser that stores nothing keeps the choice until the page is closed.
    }
  };
  return (
    <div className={css.row}>
      <div id="density-label">
        <div className={css.name}>Row height</div>
        <div className={css.hint}>On a desk; a phone always has rows a thumb can hit.</div>
      </div>
      <SegmentedControl
        aria-labelledby="density-label"
        value={density}
        onChange={change}
        data={[
          { value: 'comfortable', label: 'Comfortable' },
          { value: 'compact', label: 'Compact' },
        ]}
      />
    </div>
  );
}
