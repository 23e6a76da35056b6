/**
 * What the built-in scenes are made of: emoji drawings of four styles, which come as npm packages. Each class has many drawings,
 * faces and whole bodies, front and side; yellow, grey, white and red occur in several classes, so that no colour gives a class away.
 */

/** Raise it whenever the scenes of equal settings change, including by an update of the packages below; it is part of the stage keys. */
export const GENERATOR_VERSION = '1';

/** The drawing packages with the version the scenes of GENERATOR_VERSION were made with. */
export const STYLES = {
  noto: { package: '@iconify-json/noto', version: '1.2.9' },
  notoV1: { package: '@iconify-json/noto-v1', version: '1.2.5' },
  fluent: { package: '@iconify-json/fluent-emoji-flat', version: '1.2.6' },
  fxemoji: { package: '@iconify-json/fxemoji', version: '1.2.2' },
} as const;

export type StyleName = keyof typeof STYLES;
export const STYLE_NAMES = Object.keys(STYLES) as StyleName[];

const CAT_FACES =
  'cat-face grinning-cat grinning-cat-with-smiling-eyes kissing-cat pouting-cat cat-with-wry-smile crying-cat smiling-cat-with-heart-eyes';
const CARS = 'automobile taxi sport-utility-vehicle police-car oncoming-automobile oncoming-taxi oncoming-police-car';
const FLOWERS = 'tulip rose sunflower blossom hibiscus cherry-blossom rosette';
const BIRDS = 'bird front-facing-baby-chick baby-chick chicken rooster duck owl penguin';

/** Names of the drawings of a class in a style, separated by blanks. */
const TABLE: Readonly<Record<string, Readonly<Record<StyleName, string>>>> = {
  cat: {
    noto: `cat black-cat ${CAT_FACES}`,
    notoV1: `cat ${CAT_FACES}`,
    fluent: `cat black-cat ${CAT_FACES}`,
    fxemoji: 'cat catside',
  },
  dog: {
    noto: 'dog dog-face poodle guide-dog service-dog',
    notoV1: 'dog dog-face poodle',
    fluent: 'dog dog-face poodle guide-dog service-dog',
    fxemoji: 'dog dogside poodle',
  },
  bird: {
    noto: `${BIRDS} parrot black-bird goose eagle`,
    notoV1: BIRDS,
    fluent: `${BIRDS} parrot blackbird goose swan`,
    fxemoji: 'bird frontfacingchick babychick chicken rooster penguin doveofpeace',
  },
  car: {
    noto: `${CARS} pickup-truck minibus`,
    notoV1: `${CARS} minibus`,
    fluent: `${CARS} pickup-truck minibus`,
    fxemoji: 'automobile taxi policecar recreationalvehicle oncomingautomobile oncomingtaxi oncomingpolicecar minibus',
  },
  flower: {
    noto: `${FLOWERS} lotus`,
    notoV1: FLOWERS,
    fluent: FLOWERS,
    fxemoji: 'tulip rose sunflower blossom hibiscus cherryblossom rosette',
  },
};

/** Class names of the generated data, index 0 = background. */
export const GENERATOR_CLASSES: readonly string[] = ['background', ...Object.keys(TABLE)];

/** One drawing: an icon of a style. */
export interface Drawing {
  readonly style: StyleName;
  readonly icon: string;
}

/** The drawings of a foreground class (1..K-1), grouped by style, so that a style with few drawings is seen as often as one with many. */
export function drawingsOf(classIndex: number): readonly (readonly Drawing[])[] {
  const byStyle = TABLE[GENERATOR_CLASSES[classIndex]];
  return STYLE_NAMES.map((style) => byStyle[style].split(' ').map((icon) => ({ style, icon })));
}
