import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { escapeHtml, html, Html, jsonForScript } from '../../../operator/report/html.ts';

const test = suite('html');

test('text is escaped in content and in attributes', () => {
  const name = `"><img src=x onerror='alert(1)'>&`;
  const { text } = html`<a title="${name}">${name}</a>`;
  const escaped = '&#34;&#62;&#60;img src=x onerror=&#39;alert(1)&#39;&#62;&#38;';
  assert.is(text, `<a title="${escaped}">${escaped}</a>`);
});

test('HTML and lists of it are inserted as they are, null and false vanish, numbers stay', () => {
  const { text } = html`<p>${new Html('<b>1</b>')}${[html`<i>${'<'}</i>`, null]}${false}${0}</p>`;
  assert.is(text, '<p><b>1</b><i>&#60;</i>0</p>');
});

test('no string leaves a character that HTML gives a meaning', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      assert.not.match(escapeHtml(text).replace(/&#\d+;/g, ''), /[<>&"']/);
    }),
  );
});

test('JSON in a script element can neither end it nor open a comment, and reads back the same', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const { text } = jsonForScript([value, '</script><!--\u2028']);
      assert.not.match(text, /[<>\u2028]/);
      assert.is(JSON.stringify(JSON.parse(text)), JSON.stringify([value, '</script><!--\u2028']));
    }),
  );
});

test.run();
