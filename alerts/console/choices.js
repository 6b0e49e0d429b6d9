// What somebody chose at this browser: language, theme, sound. A browser that keeps nothing still works.

const PREFIX = "huewatch-";

export function remembered(name) {
  try {
    return localStorage.getItem(PREFIX + name);
  } catch {
    return null;
  }
}

export function remember(name, value) {
  try {
    localStorage.setItem(PREFIX + name, value);
  } catch {
    // not kept beyond this page
  }
}
