// Removes the drawing when its image has loaded, or the image when it fails to load.
const shown = (image) => image.previousElementSibling?.remove();
const dead = (image) => image.remove();

for (const [event, settle] of [["load", shown], ["error", dead]]) {
  document.addEventListener(event, ({ target }) => {
    if (target instanceof HTMLImageElement) settle(target);
  }, true);
}

for (const image of document.images) {
  if (image.complete) image.decode().then(() => shown(image), () => dead(image));
}
