// What makes eight hours a day easier; every page works without it.
(function () {
  'use strict';
  document.documentElement.classList.add('script');

  // j and k walk through the rows; Enter is the focused link's own.
  document.addEventListener('keydown', function (event) {
    if (event.ctrlKey || event.altKey || event.metaKey || !document.querySelector('[data-keys]')) return;
    if (/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName) || (event.key !== 'j' && event.key !== 'k')) return;
    var rows = Array.prototype.slice.call(document.querySelectorAll('[data-keys] .row'));
    var at = rows.indexOf(document.activeElement);
    var to = event.key === 'j' ? Math.min(at + 1, rows.length - 1) : Math.max(at - 1, 0);
    if (rows[to]) { rows[to].focus(); event.preventDefault(); }
  });

  // A chosen filter applies at once.
  document.querySelectorAll('[data-submit]').forEach(function (select) {
    select.addEventListener('change', function () { select.form.submit(); });
  });

  // Leaving with unsaved answers asks first; a second press of the same button is ignored.
  document.querySelectorAll('form').forEach(function (form) {
    var changed = form.hasAttribute('data-changed'), sent = false;
    form.addEventListener('submit', function (event) {
      if (sent) { event.preventDefault(); return; }
      sent = true;
      changed = false;
      window.setTimeout(function () { sent = false; }, 8000);
    });
    if (!form.hasAttribute('data-warn')) return;
    form.addEventListener('input', function () { changed = true; });
    window.addEventListener('beforeunload', function (event) { if (changed) event.preventDefault(); });
  });
  window.addEventListener('pageshow', function (event) { if (event.persisted) window.location.reload(); });

  // Fields that matter only under a condition step aside while it does not hold and nothing is in them.
  function valueOf(form, name) {
    var found = form.elements.namedItem(name);
    if (!found) return '';
    if (found.length === undefined || found.tagName === 'SELECT') return found.type === 'checkbox' && !found.checked ? '' : found.value;
    return Array.prototype.reduce.call(found, function (value, one) {
      return (one.type === 'radio' || one.type === 'checkbox') && !one.checked ? value : one.value;
    }, '');
  }
  function filled(box) {
    return Array.prototype.some.call(box.querySelectorAll('input, select, textarea'), function (one) {
      if (one.type === 'hidden') return false;
      return one.type === 'radio' || one.type === 'checkbox' ? one.checked : one.tagName !== 'SELECT' && one.value !== '';
    }) || box.querySelector('[aria-invalid], .rowbox') !== null;
  }
  var conditional = document.querySelectorAll('[data-when]');
  function step() {
    conditional.forEach(function (box) {
      var parts = box.dataset.when.split('|'), form = box.closest('form');
      if (!form || form.querySelector('fieldset:disabled')) return;
      box.hidden = parts.indexOf(valueOf(form, parts[0]), 1) < 0 && !filled(box);
    });
  }
  if (conditional.length) { step(); document.addEventListener('change', step); }

  var errors = document.getElementById('errors');
  if (errors) errors.focus();
}());
