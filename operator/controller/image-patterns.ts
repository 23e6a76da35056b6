/**
 * Whether an image reference matches a pattern of the operator's configuration. `*` stands for any signs, `/`, `:` and none at all
 * included; every other sign stands for itself, upper and lower case told apart. The whole reference has to match, as it is
 * written: `alpine` is not taken for `docker.io/library/alpine`. So `registry.example.org/lab/*` allows that folder of that
 * registry, whereas `registry.example.org*` allows `registry.example.org.elsewhere.net/x` as well.
 *
 * Takes time proportional to pattern times reference at worst; no pattern is ever a regular expression.
 */
export function matchesImagePattern(image: string, pattern: string): boolean {
  const [head, ...rest] = pattern.split('*');
  const tail = rest.pop();
  if (tail === undefined) return image === pattern;
  if (image.length < head.length + tail.length || !image.startsWith(head) || !image.endsWith(tail)) return false;
  const end = image.length - tail.length;
  let at = head.length;
  // The first place of each part leaves most room for those after it.
  for (const part of rest) {
    const found = image.indexOf(part, at);
    if (found < 0 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
}
