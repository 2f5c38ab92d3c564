// Choosing finds and forms made from a description.
import { describe, expect, it } from 'vitest';
import { changed, freeName, request, ticked, type Choices } from '../src/adding/choice';
import type { Find, SearchInput } from '../src/api/calls';
import { asked, offered, parametersOf, problemOf } from '../src/inputs/values';

const find = (id: number, more: Partial<Find> = {}): Find => ({
  id,
  address: `place ${id}`,
  identity: [],
  remark: '',
  addable: true,
  key: `key-${id}`,
  name: '',
  asks: [],
  ...more,
});

describe('chosen finds', () => {
  it('keep what a person wrote and are asked for in the order they were found', () => {
    const finds = [find(0), find(1, { asks: ['local_key'] }), find(2, { key: null })];
    let choices: Choices = new Map();
    for (const one of [...finds].reverse()) choices = ticked(choices, one, true);
    choices = changed(choices, 1, { key: ' cellar ', profile: ' plug ', values: { local_key: 'x' } });
    choices = ticked(choices, finds[0] as Find, false);
    const { finds: chosen, adapter } = request('t', { adapter: ' a ', isNew: false }, choices, finds);
    expect(adapter).toBe('a');
    expect(chosen).toEqual([
      { id: 1, key: 'cellar', name: undefined, profile: 'plug', values: { local_key: 'x' } },
      { id: 2, key: undefined, name: undefined, profile: undefined, values: {} },
    ]);
  });

  it('propose a name for an adapter that is free', () => {
    expect(freeName('modbus', [])).toBe('modbus');
    expect(freeName('modbus', ['modbus', 'modbus-2'])).toBe('modbus-3');
  });
});

describe('a form made from a description', () => {
  const input = (name: string, more: Partial<SearchInput>): SearchInput => ({
    name,
    title: name,
    required: false,
    takes: { type: 'text' },
    about: '',
    default: null,
    ...more,
  });
  const inputs = [
    input('way', { takes: { type: 'choice', choices: ['a', 'b'] }, default: 'a' }),
    input('port', {
      takes: { type: 'number', min: 1, max: 9 },
      when: { name: 'way', values: ['a'] },
      default: 5,
    }),
    input('line', { when: { name: 'way', values: ['b'] }, required: true }),
    input('all', { takes: { type: 'flag' }, default: true }),
  ];

  it('asks only what belongs to what was said', () => {
    const values = offered(inputs);
    expect(asked(inputs, values).map((i) => i.name)).toEqual(['way', 'port', 'all']);
    expect(parametersOf(inputs, values)).toEqual({ way: 'a', port: 5, all: true });
    expect(parametersOf(inputs, { ...values, way: 'b', line: ' x ' })).toEqual({
      way: 'b',
      line: 'x',
      all: true,
    });
  });

  it('starts with what was asked last', () => {
    expect(offered(inputs, { port: 7, line: ['x', 'y'] })).toMatchObject({ port: '7', line: 'x, y' });
  });

  it('says what is wrong', () => {
    const [way, port, line] = inputs as [SearchInput, SearchInput, SearchInput, SearchInput];
    expect(problemOf(line, '')).toBe('Has to be given');
    expect(problemOf(port, '10')).toBe('A whole number from 1 to 9');
    expect(problemOf(port, 'x')).not.toBeNull();
    expect(problemOf(port, '')).toBeNull();
    expect(problemOf(way, 'a')).toBeNull();
  });
});
