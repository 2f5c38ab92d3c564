// The Mantine theme: components take the colours of tokens.css, radius 6, no shadows but on overlays.
import {
  ActionIcon,
  Button,
  createTheme,
  Drawer,
  Modal,
  NumberInput,
  PasswordInput,
  Popover,
  SegmentedControl,
  Textarea,
  TextInput,
  Tooltip,
  type CSSVariablesResolver,
  type MantineColorsTuple,
} from '@mantine/core';

// prettier-ignore
const teal: MantineColorsTuple = [
  '#effcf9', '#cdf7ee', '#9defe0', '#5eead4', '#2dd4bf', '#14b8a6', '#0d9488', '#0f766e', '#0b5f59', '#084c48',
];

// prettier-ignore
const grey: MantineColorsTuple = [
  '#dfe1e4', '#c3c7cc', '#a1a6ad', '#7b818a', '#3a3f46', '#2c3036', '#22262b', '#1a1d21', '#121417', '#0e1012',
];

// The one accent, with text that is readable on it in both themes.
function buttonColours(_theme: unknown, props: { variant?: string }) {
  if (props.variant !== undefined && props.variant !== 'filled') return { root: {} };
  return {
    root: {
      '--button-bg': 'var(--r-accent)',
      '--button-hover': 'var(--r-accent-hover)',
      '--button-color': 'var(--r-on-accent)',
    },
  };
}

export const theme = createTheme({
  primaryColor: 'teal',
  primaryShade: { light: 7, dark: 4 },
  autoContrast: true,
  luminanceThreshold: 0.35,
  colors: { teal, dark: grey },
  defaultRadius: 6,
  fontFamily: 'var(--r-font)',
  fontFamilyMonospace: 'var(--r-mono)',
  headings: { fontFamily: 'var(--r-font)', fontWeight: '600' },
  cursorType: 'pointer',
  respectReducedMotion: true,
  components: {
    Button: Button.extend({ defaultProps: { size: 'sm' }, vars: buttonColours }),
    ActionIcon: ActionIcon.extend({ defaultProps: { variant: 'subtle', color: 'gray', size: 'lg' } }),
    TextInput: TextInput.extend({ defaultProps: { size: 'sm' } }),
    PasswordInput: PasswordInput.extend({ defaultProps: { size: 'sm' } }),
    NumberInput: NumberInput.extend({ defaultProps: { size: 'sm' } }),
    Textarea: Textarea.extend({ defaultProps: { size: 'sm' } }),
    SegmentedControl: SegmentedControl.extend({ defaultProps: { size: 'sm' } }),
    Tooltip: Tooltip.extend({
      defaultProps: { openDelay: 250, withArrow: false, events: { hover: true, focus: true, touch: true } },
    }),
    Popover: Popover.extend({ defaultProps: { shadow: 'none' } }),
    Modal: Modal.extend({
      defaultProps: {
        shadow: 'none',
        // The page keeps its scroll bar, so nothing behind moves when a dialog opens.
        lockScroll: false,
        overlayProps: { backgroundOpacity: 0.45 },
        transitionProps: { transition: 'fade', duration: 120 },
        closeButtonProps: { 'aria-label': 'Close' },
      },
    }),
    Drawer: Drawer.extend({
      defaultProps: {
        shadow: 'none',
        lockScroll: false,
        overlayProps: { backgroundOpacity: 0.35 },
        transitionProps: { duration: 140 },
        closeButtonProps: { 'aria-label': 'Close' },
      },
    }),
  },
});

/** Hands Mantine the kit's own colours, so both themes have one source. */
export const resolveVariables: CSSVariablesResolver = () => {
  const shared = {
    '--mantine-color-body': 'var(--r-surface)',
    '--mantine-color-text': 'var(--r-text)',
    '--mantine-color-dimmed': 'var(--r-text-2)',
    '--mantine-color-placeholder': 'var(--r-text-2)',
    '--mantine-color-default': 'var(--r-surface)',
    '--mantine-color-default-hover': 'var(--r-sunken)',
    '--mantine-color-default-color': 'var(--r-text)',
    '--mantine-color-default-border': 'var(--r-line-strong)',
    '--mantine-color-error': 'var(--r-critical)',
    '--mantine-primary-color-filled': 'var(--r-accent)',
    '--mantine-primary-color-filled-hover': 'var(--r-accent-hover)',
    '--mantine-primary-color-contrast': 'var(--r-on-accent)',
  };
  return { variables: {}, light: shared, dark: shared };
};
