// Runs before the first paint, so that a chosen theme never flashes. No choice = the system's.
const chosenTheme = localStorage.getItem("theme");
if (chosenTheme) document.documentElement.dataset.theme = chosenTheme;
