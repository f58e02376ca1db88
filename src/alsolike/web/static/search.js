import { combobox, pageOf } from "./combobox.js";

combobox(document.getElementById("lookup"), (item) => location.assign(pageOf(item.item)));
