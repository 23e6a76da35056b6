/* global document, window, echarts, ResizeObserver, getComputedStyle */
// The report's only program: draws the charts in the page's theme and enlarges the gallery's pictures. Runs in a browser, from one
// file, without the network.
(() => {
  const { charts, themes } = JSON.parse(document.getElementById('report-data').textContent);
  const escape = echarts.format.encodeHTML;
  const percent = (value) => (value == null ? '–' : `${(value * 100).toFixed(1)} %`);
  const number = (value) => (value == null ? '–' : value === 0 ? '0' : String(Number(value.toPrecision(4))));
  const integer = (value) => Math.round(value).toLocaleString('en-US');
  const dot = (color) =>
    `<span style="display:inline-block;width:8px;height:8px;border-radius:2px;margin-right:6px;background:${color}"></span>`;
  const tooltipRow = (mark, name, value) =>
    `<div style="display:flex;justify-content:space-between;gap:18px"><span>${mark}${escape(name)}</span><b>${value}</b></div>`;

  /** Functions that an option names with { $format }. */
  const formats = {
    percent,
    percentAxis: (value) => {
      const ratio = typeof value === 'object' ? value.value[2] : value;
      const digits = typeof value === 'object' || Number.isInteger(Math.round(ratio * 1e6) / 1e4) ? 0 : 1;
      return `${(ratio * 100).toFixed(digits)}${typeof value === 'object' ? '' : ' %'}`;
    },
    rate: (value) => (value == null ? '–' : value !== 0 && value < 1e-3 ? value.toExponential(1) : number(value)),
    shortInteger: (value) => (value >= 10000 ? `${number(value / 1000)}k` : integer(value)),
    lossTooltip: (items) => {
      const shown = items.filter((item) => !item.seriesId.startsWith('band-'));
      if (shown.length === 0) return '';
      const [step, , epoch] = shown[0].value;
      const head = `<div style="margin-bottom:4px">step ${integer(step)}, epoch ${integer(epoch)}</div>`;
      return head + shown.map((item) => tooltipRow(dot(item.color), item.seriesName, number(item.value[1]))).join('');
    },
    confusionTooltip: ({ value: [predicted, truth, share], data }, chart) => {
      const option = chart.getOption();
      const name = (axis, index) => escape(String(option[axis][0].data[index]));
      return (
        `<div style="white-space:normal;max-width:260px;overflow-wrap:anywhere"><b>${name('yAxis', truth)}</b> labelled as ` +
        `<b>${name('xAxis', predicted)}</b><br>${percent(share)} of its pixels (${integer(data.pixels)})</div>`
      );
    },
  };

  /** An option with the theme's colours and the functions in place of their names. */
  function resolve(value, theme, chart) {
    if (Array.isArray(value)) return value.map((item) => resolve(item, theme, chart));
    if (value === null || typeof value !== 'object') return value;
    if (value.$color) return theme[value.$color];
    if (value.$format) return (params) => formats[value.$format](params, chart);
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, resolve(item, theme, chart)]));
  }

  const fontFamily = getComputedStyle(document.body).fontFamily;
  const drawn = charts.map(({ id, option }) => {
    const element = document.getElementById(`chart-${id}`);
    return { option, element, chart: echarts.init(element, null, { renderer: 'svg' }) };
  });

  function draw(theme) {
    for (const { option, chart } of drawn) {
      const selected = chart.getOption()?.legend?.[0]?.selected;
      const themed = { animation: false, textStyle: { fontFamily }, ...resolve(option, theme, chart) };
      if (themed.legend && selected) themed.legend.selected = selected;
      chart.setOption(themed, true);
    }
  }

  const dark = window.matchMedia('(prefers-color-scheme: dark)');
  const drawCurrent = () => draw(dark.matches ? themes.dark : themes.light);
  dark.addEventListener('change', drawCurrent);
  drawCurrent();

  const sizes = new ResizeObserver((entries) => {
    for (const { target } of entries) drawn.find(({ element }) => element === target).chart.resize();
  });
  for (const { element } of drawn) sizes.observe(element);

  // Paper is white and cannot be unfolded.
  let folded = [];
  window.addEventListener('beforeprint', () => {
    folded = [...document.querySelectorAll('details:not([open])')];
    for (const details of folded) details.open = true;
    draw(themes.light);
    for (const { chart } of drawn) chart.resize();
  });
  window.addEventListener('afterprint', () => {
    for (const details of folded) details.open = false;
    drawCurrent();
  });

  const viewer = document.getElementById('viewer');
  if (!viewer) return;
  const image = viewer.querySelector('img');
  const caption = viewer.querySelector('figcaption');
  const tiles = [...document.querySelectorAll('button.tile')];
  let current = 0;

  function show(index) {
    current = (index + tiles.length) % tiles.length;
    const picture = tiles[current].querySelector('img');
    image.src = picture.src;
    image.alt = picture.alt;
    image.className = picture.className;
    image.style.setProperty('--ratio', String(picture.width / picture.height));
    caption.textContent = `${tiles[current].dataset.caption} (${current + 1} of ${tiles.length})`;
  }

  tiles.forEach((tile, index) =>
    tile.addEventListener('click', () => {
      show(index);
      viewer.showModal();
    }),
  );
  viewer.querySelector('[data-action=close]').addEventListener('click', () => viewer.close());
  viewer.querySelector('[data-action=previous]').addEventListener('click', () => show(current - 1));
  viewer.querySelector('[data-action=next]').addEventListener('click', () => show(current + 1));
  viewer.addEventListener('click', (event) => {
    if (event.target === viewer) viewer.close();
  });
  viewer.addEventListener('keydown', (event) => {
    if (event.key === 'ArrowLeft') show(current - 1);
    if (event.key === 'ArrowRight') show(current + 1);
  });
  viewer.addEventListener('close', () => tiles[current].focus());
})();
