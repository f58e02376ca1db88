// A picture that does not load gives way to the drawing beneath it.
document.addEventListener("error", ({ target }) => {
  if (target instanceof HTMLImageElement) target.remove();
}, true);

for (const image of [...document.images]) {
  if (image.complete && image.naturalWidth === 0) image.remove();
}
