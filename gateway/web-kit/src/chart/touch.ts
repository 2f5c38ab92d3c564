// Fingers on a chart: one moves the cursor, two pinch and pan. Vertical strokes still scroll the page.
import type uPlot from 'uplot';

interface Pinch {
  from: number;
  to: number;
  /** Times under the two fingers when they came down. */
  left: number;
  right: number;
}

/** Adds touch to a chart; `preview` is called while fingers move, `commit` when they lift. */
export function attachTouch(
  u: uPlot,
  span: () => { from: number; to: number },
  preview: (from: number, to: number) => void,
  commit: () => void,
): () => void {
  const fingers = new Map<number, number>();
  let pinch: Pinch | null = null;
  u.over.style.touchAction = 'pan-y';

  const place = (event: PointerEvent) => event.clientX - u.over.getBoundingClientRect().left;
  const timeAt = (x: number, range: { from: number; to: number }) =>
    range.from + (x / u.over.clientWidth) * (range.to - range.from);

  const down = (event: PointerEvent) => {
    if (event.pointerType !== 'touch') return;
    fingers.set(event.pointerId, place(event));
    if (fingers.size !== 2) return;
    const [a = 0, b = 0] = [...fingers.values()].sort((p, q) => p - q);
    const range = span();
    pinch = { ...range, left: timeAt(a, range), right: timeAt(b, range) };
  };

  const move = (event: PointerEvent) => {
    if (!fingers.has(event.pointerId)) return;
    fingers.set(event.pointerId, place(event));
    if (fingers.size === 1 && !pinch) u.setCursor({ left: place(event), top: 10 });
    if (fingers.size !== 2 || !pinch) return;
    const [a = 0, b = 0] = [...fingers.values()].sort((p, q) => p - q);
    const perPixel = (pinch.right - pinch.left) / Math.max(12, b - a);
    const from = pinch.left - a * perPixel;
    preview(from, from + u.over.clientWidth * perPixel);
  };

  const up = (event: PointerEvent) => {
    fingers.delete(event.pointerId);
    if (pinch && fingers.size === 0) {
      pinch = null;
      commit();
    }
  };

  u.over.addEventListener('pointerdown', down);
  u.over.addEventListener('pointermove', move);
  u.over.addEventListener('pointerup', up);
  u.over.addEventListener('pointercancel', up);
  return () => {
    u.over.removeEventListener('pointerdown', down);
    u.over.removeEventListener('pointermove', move);
    u.over.removeEventListener('pointerup', up);
    u.over.removeEventListener('pointercancel', up);
  };
}
