// An answer that is not a success, or none at all, as an error whose message a person can act on.

export class Problem extends Error {
  constructor(
    message: string,
    /** HTTP status; 0 when nothing answered. */
    readonly status: number,
    /** Stable word for programs. */
    readonly code: string,
    /** Seconds until a repeat makes sense, where that is known. */
    readonly retryAfterS: number | null = null,
  ) {
    super(message);
    this.name = 'Problem';
  }
}

interface Body {
  error?: { code?: string; message?: string; retry_after_s?: number | null };
}

/** The problem an answer tells of; both faces use the same body. */
export function problemOf(status: number, body: unknown): Problem {
  const error = (body as Body | undefined)?.error;
  const message = error?.message ?? `The request was answered with status ${status}.`;
  return new Problem(message, status, error?.code ?? 'unknown', error?.retry_after_s ?? null);
}

/** No answer: the network or the server is away. */
export function unreachable(server: string): Problem {
  return new Problem(
    `${server} does not answer. Check that it runs and that this device is on its network.`,
    0,
    'unreachable',
  );
}

/** The words of any error. */
export function messageOf(reason: unknown): string {
  return reason instanceof Error ? reason.message : String(reason);
}
