// On a page that answers a form. Its entry in the browser's history would send the form again when people
// reload it or come back to it, which browsers ask about or refuse: the entry becomes the form's own page.
"use strict";

history.replaceState(history.state, "", document.currentScript.dataset.address || location.href);
