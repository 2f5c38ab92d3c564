// The house rules for TypeScript as lints: sizes, hooks, accessibility, and which way imports may go.
import js from '@eslint/js';
import a11y from 'eslint-plugin-jsx-a11y';
import hooks from 'eslint-plugin-react-hooks';
import globals from 'globals';
import ts from 'typescript-eslint';

const kitFloor = {
  patterns: [
    {
      group: ['wouter', 'wouter/*', 'openapi-fetch', '@tanstack/react-query'],
      message: 'The kit knows no router, endpoint or session; pass them in from the app.',
    },
  ],
};

export default ts.config(
  { ignores: ['**/dist/**', '**/schema.d.ts', 'target/**', 'node_modules/**', '.peers/**', '.demo/**'] },
  {
    files: ['**/*.{ts,tsx}'],
    extends: [js.configs.recommended, ...ts.configs.strict, ...ts.configs.stylistic, a11y.flatConfigs.strict],
    plugins: { 'react-hooks': hooks },
    languageOptions: { globals: globals.browser },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      ...hooks.configs.recommended.rules,
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/consistent-type-definitions': ['error', 'interface'],
      '@typescript-eslint/no-non-null-assertion': 'error',
      'no-console': 'error',
      eqeqeq: 'error',
      'max-lines': ['error', { max: 300, skipBlankLines: true, skipComments: true }],
      'max-params': ['error', 5],
    },
  },
  {
    files: ['gateway/web-kit/src/**/*.{ts,tsx}'],
    rules: { 'no-restricted-imports': ['error', kitFloor] },
  },
  {
    files: ['**/*.{js,mjs}'],
    extends: [js.configs.recommended],
    languageOptions: { globals: { ...globals.node, ...globals.browser } },
    rules: { 'max-lines': ['error', { max: 300, skipBlankLines: true, skipComments: true }] },
  },
);
