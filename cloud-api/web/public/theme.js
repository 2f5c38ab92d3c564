// Puts the chosen theme and density on the page before the first paint, so nothing flashes.
(function () {
  var root = document.documentElement;
  var stored = null;
  var density = null;
  try {
    stored = localStorage.getItem('riser-theme');
    density = localStorage.getItem('riser-density');
  } catch {
    // A browser that stores nothing gets the theme of the device.
  }
  var dark = stored === 'dark' || (stored !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches);
  root.setAttribute('data-mantine-color-scheme', dark ? 'dark' : 'light');
  root.setAttribute('data-density', density === 'compact' ? 'compact' : 'comfortable');
})();
