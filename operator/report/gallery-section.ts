import { html } from './html.ts';
import type { Html } from './html.ts';
import { DISTANCE_RAMP } from './pixels.ts';
import type { Example, Picture, ReportClass, ReportData, Strip } from './report-data.ts';

/** Everything with pictures; null if there are none. */
export function gallerySection({ gallery, classes }: ReportData): Html | null {
  const { training, validation } = gallery;
  if (training.length + validation.length === 0) return null;
  const hasStrips = training.some(({ strips }) => strips.length > 0);
  const hasMistakes = validation.some(({ pictures }) => pictures.some(({ title }) => title.startsWith('Mistakes')));
  return html`<section id="gallery" aria-labelledby="gallery-title">
    <h2 id="gallery-title">Pictures</h2>
    <p>Choose a picture to enlarge it; the arrow keys go on to the next.</p>
    ${legend(classes)} ${hasStrips && rampLegend()}
    ${group('Predictions on the validation split', hasMistakes ? 'Mistakes are red; where the truth says nothing, the image is white.' : null, validation)}
    ${group('What was trained on', null, training)}
  </section>`;
}

function legend(classes: readonly ReportClass[]): Html {
  const entries = [...classes, { name: 'ignored', color: '#e0e0c0' }];
  return html`<ul class="legend" aria-label="Colours of the classes">
    ${entries.map(({ name, color }) => html`<li><span class="swatch" style="background: ${color}"></span>${name}</li>`)}
  </ul>`;
}

function rampLegend(): Html {
  const stops = [0, 51, 102, 153, 204, 255].map((byte) => `rgb(${DISTANCE_RAMP[byte].join(' ')})`).join(', ');
  return html`<p class="small muted" style="margin-top: 0.6rem">
    Distance maps: 0<span class="ramp" style="background: linear-gradient(90deg, ${stops})"></span>255; the framed λ is the one that was
    trained with.
  </p>`;
}

function group(title: string, note: string | null, examples: readonly Example[]): Html | null {
  if (examples.length === 0) return null;
  return html`<div class="group">
    <h3>${title}</h3>
    ${note !== null && html`<p class="small muted">${note}</p>`} ${examples.map(exampleArticle)}
  </div>`;
}

function exampleArticle({ id, classes, pictures, strips }: Example): Html {
  return html`<article class="example">
    <h4>${id}<span>${classes.join(', ')}</span></h4>
    <div class="pictures" style="--columns: ${pictures.length}">${pictures.map((picture) => tile(id, picture))}</div>
    ${strips.length > 0 && html`<div class="strips">${strips.map((strip) => stripRow(id, strip))}</div>`}
  </article>`;
}

function stripRow(id: string, { title, pictures }: Strip): Html {
  return html`<div>
    <h5>${title}</h5>
    <div class="strip">${pictures.map((picture) => tile(id, picture, `${title}, `))}</div>
  </div>`;
}

function tile(id: string, { title, alt, src, width, height, crisp, chosen }: Picture, prefix = ''): Html {
  return html`<figure${chosen && html` class="chosen"`}>
    <button type="button" class="tile" data-caption="${id}: ${prefix}${title}" aria-label="Enlarge: ${alt}">
      <img src="${src}" alt="${alt}" width="${width}" height="${height}" loading="lazy" decoding="async"${crisp && html` class="crisp"`} />
    </button>
    <figcaption>${title}</figcaption>
  </figure>`;
}
