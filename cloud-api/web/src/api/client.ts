// The generated client with this app's manners: the token, the tenant of people who run the platform,
// the server's clock, errors as problems.
import { noteServerDate, problemOf, unreachable } from '@riser/kit';
import createClient, { type Middleware } from 'openapi-fetch';
import { scopedTenant } from '../session/scope';
import { tokens } from '../session/tokens';
import type { paths } from './schema';

const manners: Middleware = {
  async onRequest({ request }) {
    request.headers.set('Authorization', `Bearer ${await tokens.token()}`);
    const tenant = scopedTenant();
    if (!tenant) return request;
    const url = new URL(request.url);
    url.searchParams.set('tenant', tenant);
    return new Request(url, request);
  },
  onResponse({ response }) {
    noteServerDate(response.headers.get('Date'));
  },
  onError({ error }) {
    // A session that has ended is told as such, by the renewal in onRequest.
    return error instanceof TypeError ? unreachable('The cloud') : (error as Error);
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
