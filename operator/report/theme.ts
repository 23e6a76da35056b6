/** Colours by name, once for the page (custom properties) and the charts (tokens), in light and dark. All text reaches a contrast of 4.5. */
/** Equally far from black and from white: below it a cell's text has one of them, above it the other, in both themes. */
const HEAT_TURN = '#26837d';

const LIGHT = {
  page: '#f7f6f3',
  surface: '#ffffff',
  sunken: '#efede8',
  ink: '#1d1c1a',
  muted: '#5d5952',
  line: '#dedad2',
  accent: '#0b6e69',
  accentSoft: '#d7ebe8',
  warn: '#9a3412',
  warnSoft: '#fdeee3',
  total: '#1d1c1a',
  scribble: '#c2410c',
  pseudoLabel: '#1d64c4',
  scribbleDistance: '#a16207',
  classDistance: '#2c7a35',
  lorm: '#8b3fb5',
  heat0: '#f5f4f0',
  heat1: '#cfe6e2',
  heat2: '#85c2bb',
  heat3: HEAT_TURN,
  heat4: '#085b56',
  heatLow: '#000000',
  heatHigh: '#ffffff',
};
export type ColorName = keyof typeof LIGHT;
export type Theme = Readonly<Record<ColorName, string>>;

const DARK: Theme = {
  page: '#131416',
  surface: '#1b1d20',
  sunken: '#25282c',
  ink: '#ecebe7',
  muted: '#a8a59e',
  line: '#33363b',
  accent: '#5cc8bf',
  accentSoft: '#17403d',
  warn: '#fdba74',
  warnSoft: '#3a2415',
  total: '#ecebe7',
  scribble: '#fb8a5a',
  pseudoLabel: '#74aefb',
  scribbleDistance: '#e3b341',
  classDistance: '#71c77b',
  lorm: '#cf95ec',
  heat0: '#212428',
  heat1: '#1c403e',
  heat2: '#1f625d',
  heat3: HEAT_TURN,
  heat4: '#8ae6dd',
  heatLow: '#ffffff',
  heatHigh: '#000000',
};

export const THEMES: { readonly light: Theme; readonly dark: Theme } = { light: LIGHT, dark: DARK };

/** The theme as CSS custom properties: heat0 → --heat0, accentSoft → --accent-soft. */
export function themeCss(theme: Theme): string {
  return Object.entries(theme)
    .map(([name, color]) => `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}: ${color};`)
    .join(' ');
}
