/** A terminal of a given width: takes what a program writes and keeps what a person would see. */
export interface Screen {
  readonly isTTY: true;
  columns: number;
  write(text: string): void;
  on(name: 'resize', listener: () => void): void;
  off(name: 'resize', listener: () => void): void;
  resize(columns: number): void;
  /** Lines without trailing spaces; rows that a narrow window has broken count one each. */
  lines(): string[];
  readonly raw: string;
  cursorIsVisible(): boolean;
  readonly listeners: number;
}

export function createScreen(columns: number): Screen {
  let rows: string[] = [''];
  let row = 0;
  let column = 0;
  let raw = '';
  const listeners = new Set<() => void>();
  const put = (character: string) => {
    if (column >= screen.columns) {
      row += 1;
      column = 0;
    }
    while (rows.length <= row) rows.push('');
    rows[row] = rows[row].padEnd(column).slice(0, column) + character + rows[row].slice(column + 1);
    column += 1;
  };
  const apply = (code: string, count: number) => {
    if (code === 'A') row = Math.max(0, row - count);
    else if (code === 'K') rows[row] = rows[row].slice(0, column);
    else if (code === 'J') rows = [...rows.slice(0, row), rows[row].slice(0, column)];
  };
  const screen: Screen = {
    isTTY: true,
    columns,
    write(text) {
      raw += text;
      // eslint-disable-next-line no-control-regex -- this is what a terminal is for
      for (const [token, count, code] of text.matchAll(/\x1b\[\??([0-9;]*)([A-Za-z])|[^]/g)) {
        if (code !== undefined) apply(code, Number(count || 1));
        else if (token === '\r') column = 0;
        else if (token === '\n') {
          row += 1;
          column = 0;
          while (rows.length <= row) rows.push('');
        } else put(token);
      }
    },
    on: (_name, listener) => listeners.add(listener),
    off: (_name, listener) => listeners.delete(listener),
    resize(next) {
      // Long lines break into rows, as most terminals do; the cursor stays behind the last character.
      const broken = rows.map((line) => line.match(new RegExp(`.{1,${next}}`, 'g')) ?? ['']);
      row = broken.slice(0, row + 1).flat().length - 1;
      rows = broken.flat();
      column = rows[row].length;
      screen.columns = next;
      for (const listener of listeners) listener();
    },
    lines: () => rows.map((line) => line.trimEnd()),
    get raw() {
      return raw;
    },
    cursorIsVisible: () => raw.lastIndexOf('\x1b[?25h') >= raw.lastIndexOf('\x1b[?25l'),
    get listeners() {
      return listeners.size;
    },
  };
  return screen;
}
