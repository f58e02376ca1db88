// A picture stands above a drawing: one of the two goes, once it is known whether it loads.
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
