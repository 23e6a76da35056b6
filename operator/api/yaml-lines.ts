import { EVENT_ALIAS, EVENT_DOCUMENT, EVENT_MAPPING, EVENT_POP, EVENT_SCALAR, EVENT_SEQUENCE, getScalarValue, parseEvents } from 'js-yaml';
import { formatPath } from './findings.ts';

/** A collection that is being read: in a mapping, keys and values take turns. */
interface Open {
  readonly path: readonly (string | number)[];
  readonly isMapping: boolean;
  key: string | undefined;
  index: number;
}

/** Line of a field, by its formatted path, or of the nearest field around it. */
export function lineOf(field: string, lines: ReadonlyMap<string, number>): number | undefined {
  for (let path = field; path !== '';) {
    const line = lines.get(path);
    if (line !== undefined) return line;
    path = path.slice(0, Math.max(0, path.lastIndexOf('.'), path.lastIndexOf('[')));
  }
  return undefined;
}

/**
 * Line (from 1) of every field of each YAML document of a file, by its formatted path. For people who look for what a message names;
 * js-yaml's own result has no positions.
 */
export function fieldLines(text: string): Map<string, number>[] {
  const documents: Map<string, number>[] = [];
  let lines = new Map<string, number>();
  const stack: Open[] = [];
  const lineAt = (offset: number) => text.slice(0, offset).split('\n').length;

  /** Path of the node that begins here, or undefined if it is a key; moves its parent on. */
  const enter = (start: number, keyText: string | undefined): readonly (string | number)[] | undefined => {
    const parent = stack.at(-1);
    if (parent === undefined) return [];
    if (!parent.isMapping) {
      const path = [...parent.path, parent.index++];
      lines.set(formatPath(path), lineAt(start));
      return path;
    }
    if (parent.key === undefined) {
      parent.key = keyText ?? '';
      lines.set(formatPath([...parent.path, parent.key]), lineAt(start));
      return undefined;
    }
    const path = [...parent.path, parent.key];
    parent.key = undefined;
    return path;
  };

  for (const event of parseEvents(text, {})) {
    switch (event.type) {
      case EVENT_MAPPING:
      case EVENT_SEQUENCE:
        stack.push({ path: enter(event.start, undefined) ?? [], isMapping: event.type === EVENT_MAPPING, key: undefined, index: 0 });
        break;
      case EVENT_SCALAR:
        enter(event.valueStart, getScalarValue(text, event));
        break;
      case EVENT_ALIAS:
        enter(event.anchorStart, undefined);
        break;
      case EVENT_POP:
        stack.pop();
        break;
      case EVENT_DOCUMENT:
        lines = new Map();
        documents.push(lines);
        break;
    }
  }
  return documents;
}
