/** Light, dark, or as the system has it. */

const THEMES = ["system", "light", "dark"];
const button = document.getElementById("theme");
let theme = localStorage.getItem("theme") ?? "system";

function apply() {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  button.textContent = { system: "Theme: system", light: "Theme: light", dark: "Theme: dark" }[theme];
}

button.addEventListener("click", () => {
  theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
  localStorage.setItem("theme", theme);
  apply();
});
apply();
