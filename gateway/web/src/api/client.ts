// The generated client with this app's manners: the CSRF header, the server's clock, errors as problems.
import { noteServerDate, problemOf, unreachable } from '@riser/kit';
import createClient, { type Middleware } from 'openapi-fetch';
import type { paths } from './schema';

const manners: Middleware = {
  onRequest({ request }) {
    request.headers.set('X-Riser', '1');
    return request;
  },
  onResponse({ response }) {
    noteServerDate(response.headers.get('Date'));
  },
  onError() {
    return unreachable('The gateway');
  },
};

export const client = createClient<paths>();
client.use(manners);

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** The body of a success; anything else is thrown as a problem. */
export async function body<T>(answer: Promise<Answer<T>>): Promise<T> {
  const { data, error, response } = await answer;
  if (!response.ok) throw problemOf(response.status, error);
  return data as T;
}
