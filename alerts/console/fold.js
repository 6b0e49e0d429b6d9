// Vietnamese text as it is typed in a hurry: without diacritics, and đ as d.

export const fold = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").replace(/đ/gi, "d").toLowerCase().trim();

// Whether every word of a wish is found in some of the texts.
export function matches(wish, texts) {
  const all = fold(texts.filter(Boolean).join(" "));
  return fold(wish)
    .split(/\s+/)
    .every((each) => all.includes(each));
}
