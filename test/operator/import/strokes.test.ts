import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { VOC_CLASSES } from '../../../operator/import/class-names.ts';
import { drawStrokes, parseStrokes } from '../../../operator/import/strokes.ts';

const stroke = (tag: string, ...points: [number, number][]) =>
  `<polygon><tag>${tag}</tag>${points.map(([x, y]) => `<point><X>${x}</X><Y>${y}</Y></point>`).join('')}</polygon>`;
const annotation = (body: string) =>
  `<?xml version="1.0"?>\n<annotation>\n<filename>a.jpg</filename>\n<size><width>20</width><height>10</height><depth>3</depth></size>\n${body}\n</annotation>`;
const parse = (xml: string, classes = VOC_CLASSES) => parseStrokes(xml, classes, 'a.xml');

test('strokes have their class, their points and the size of the image', () => {
  const result = parse(annotation(stroke('person', [2, 3], [4.5, 3]) + stroke('background', [0, 9])));
  assert.equal(result, {
    size: { width: 20, height: 10 },
    strokes: [
      {
        label: 15,
        points: [
          { x: 2, y: 3 },
          { x: 4.5, y: 3 },
        ],
      },
      { label: 0, points: [{ x: 0, y: 9 }] },
    ],
  });
});

const names: [string, number][] = [
  ['aeroplane', 1],
  ['plane', 1],
  ['Bike', 2],
  ['table', 11],
  ['dining table', 11],
  [' motor ', 14],
  ['potted_plant', 16],
  ['plant', 16],
  ['tv', 20],
  ['monitor', 20],
];
for (const [name, label] of names) {
  test(`"${name}" is class ${label} of VOC`, () => assert.is(parse(annotation(stroke(name, [1, 1]))).strokes[0].label, label));
}

test('a class list that has a short name itself keeps it', () => {
  assert.is(parse(annotation(stroke('plant', [1, 1])), ['background', 'cat', 'plant']).strokes[0].label, 2);
});

test('<scribble>, <name> and lower-case coordinates are understood; an annotation may be empty', () => {
  const xml = '<annotation><scribble><name>cat</name><point><x>1</x><y>2</y></point></scribble></annotation>';
  assert.equal(parse(xml), { size: undefined, strokes: [{ label: 8, points: [{ x: 1, y: 2 }] }] });
  assert.equal(parse('<annotation></annotation>').strokes, []);
});

const refusals: [string, string, RegExp][] = [
  ['broken XML, with its line', '<annotation>\n<polygon>\n</annotation>', /line 3/],
  ['an empty file', '', /broken XML/],
  [
    'a file that ends early, with its open tags',
    '<annotation>\n<polygon>\n<tag>cat</tag>',
    /^broken XML at its end: <annotation>, <polygon> are not closed; the file may be incomplete$/,
  ],
  ['other XML', '<svg></svg>', /no <annotation>/],
  [
    'an unknown class, with the nearest one and the line',
    annotation(stroke('cat', [1, 1]) + '\n' + stroke('hourse', [1, 1])),
    /line 6: unknown class "hourse"; did you mean "horse"\?/,
  ],
  ['a stroke without class', annotation('<polygon><point><X>1</X><Y>1</Y></point></polygon>'), /stroke 1 names no class/],
  ['a stroke without points', annotation('<polygon><tag>cat</tag></polygon>'), /stroke 1 \("cat"\) has no <point>/],
  [
    'a point without number',
    annotation('<polygon><tag>cat</tag><point><X>one</X><Y>1</Y></point></polygon>'),
    /point 1 of stroke 1 .* not "one"/,
  ],
  ['half a point', annotation('<polygon><tag>cat</tag><point><X>1</X></point></polygon>'), /number in <Y>/],
  ['a size of zero', '<annotation><size><width>0</width><height>3</height></size></annotation>', /above 0/],
];
for (const [what, xml, message] of refusals) {
  test(`${what} is refused`, () => {
    assert.throws(
      () => parse(xml),
      (error: { name: string; file: string; message: string }) =>
        error.name === 'BadInputError' && error.file === 'a.xml' && message.test(error.message),
    );
  });
}

test('entities are not expanded', () => {
  const xml = `<!DOCTYPE a [<!ENTITY e "cat">]><annotation>${stroke('&e;', [1, 1])}</annotation>`;
  assert.throws(() => parse(xml), /unknown class/);
});

const show = (map: { width: number; data: Uint8Array }) =>
  [...map.data]
    .map((value) => (value === 255 ? '.' : String(value)))
    .join('')
    .match(new RegExp(`.{${map.width}}`, 'g'));

test('a stroke of width 3 is drawn with round ends', () => {
  const map = drawStrokes(
    [
      {
        label: 1,
        points: [
          { x: 2, y: 2 },
          { x: 5, y: 2 },
        ],
      },
    ],
    { width: 8, height: 5 },
    3,
    'a.xml',
  );
  assert.equal(show(map), ['........', '.111111.', '.111111.', '.111111.', '........']);
});

test('the thinnest stroke has no gap, and later strokes lie over earlier ones', () => {
  const strokes = [
    {
      label: 1,
      points: [
        { x: 0, y: 0 },
        { x: 4, y: 4 },
      ],
    },
    { label: 2, points: [{ x: 2, y: 2 }] },
  ];
  const map = drawStrokes(strokes, { width: 5, height: 5 }, 1, 'a.xml');
  assert.equal(
    [0, 6, 12, 18, 24].map((pixel) => map.data[pixel]),
    [1, 1, 2, 1, 1],
  );
});

test('points on the far edge count as the last pixel, points beyond it are refused', () => {
  const map = drawStrokes([{ label: 1, points: [{ x: 5, y: 4 }] }], { width: 5, height: 4 }, 1, 'a.xml');
  assert.is(map.data[19], 1);
  const outside = () =>
    drawStrokes(
      [
        {
          label: 1,
          points: [
            { x: 1, y: 1 },
            { x: 6, y: 1 },
          ],
        },
      ],
      { width: 5, height: 4 },
      1,
      'a.xml',
    );
  assert.throws(outside, /point 2 of stroke 1 lies at \(6, 1\), outside the image of 5×4 pixels/);
});

test.run();
