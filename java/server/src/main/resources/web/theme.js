// Before the page is drawn, so that it never flashes in the other theme: the choice that was made here before.
// None was made: the system's, by style.css.
try {
  const theme = localStorage.getItem('tandem.theme');
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
} catch {
  // A browser that keeps nothing.
}
