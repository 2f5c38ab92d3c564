// Quality as it stands on a value.
import { screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { expect, test, vi } from 'vitest';
import type { Reading } from '../src/model';
import { Value } from '../src/value/Value';
import { draw, SETPOINT } from './kit';

const reading = (more: Partial<Reading>): Reading => ({
  value: 21.04,
  quality: { level: 'good' },
  at: Date.now(),
  ...more,
});

test('good is plain', () => {
  draw(<Value point={SETPOINT} reading={reading({})} />);
  expect(screen.getByText('21.0').className).not.toMatch(/bad|uncertain/);
  expect(screen.getByText('°C')).toBeTruthy();
});

test('uncertain is dotted and says why', () => {
  draw(<Value point={SETPOINT} reading={reading({ quality: { level: 'uncertain', reason: 'clamped' } })} />);
  expect(screen.getByText('21.0').className).toMatch(/uncertain/);
  expect(screen.getByText('clamped')).toBeTruthy();
});

test('bad is struck through and says why', () => {
  draw(<Value point={SETPOINT} reading={reading({ quality: { level: 'bad', reason: 'fault' } })} />);
  expect(screen.getByText('21.0').className).toMatch(/bad/);
  expect(screen.getByText('fault')).toBeTruthy();
});

test('stale says its age', () => {
  const at = Date.now() - 250_000;
  draw(<Value point={SETPOINT} reading={reading({ at, quality: { level: 'bad', reason: 'stale' } })} />);
  expect(screen.getByText(/^stale 4.min$/)).toBeTruthy();
});

test('unknown is a word, not a zero and not a dash', () => {
  const { container } = draw(
    <Value
      point={SETPOINT}
      reading={reading({ value: null, at: null, quality: { level: 'bad', reason: 'initial' } })}
    />,
  );
  expect(screen.getByText('unknown')).toBeTruthy();
  expect(screen.getByText('not read yet')).toBeTruthy();
  expect(container.querySelector('[class*="value"]')?.textContent).not.toMatch(/[0-9–—]/);
});

test('a value that can be explained is a button', async () => {
  const onWhy = vi.fn();
  draw(<Value point={SETPOINT} reading={reading({})} onWhy={onWhy} />);
  await userEvent.click(screen.getByRole('button', { name: /explain/ }));
  expect(onWhy).toHaveBeenCalledOnce();
});
