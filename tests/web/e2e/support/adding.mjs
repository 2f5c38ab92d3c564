// The page that adds devices, as its tests use it.

/** Fills in where to look and searches. */
export async function searchFor(page, fields) {
  const form = page.getByRole('region', { name: 'Where to look' });
  for (const [label, value] of Object.entries(fields))
    await form.getByRole('textbox', { name: label }).fill(String(value));
  await form.getByRole('button', { name: /^Search/ }).click();
}
