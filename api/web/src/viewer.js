// Shows a diagram: the XML of the case's own release, where it stands now, and lightly the path so far.
import Viewer from 'bpmn-js/lib/NavigatedViewer';
import 'bpmn-js/dist/assets/diagram-js.css';
import 'bpmn-js/dist/assets/bpmn-js.css';
import './viewer.css';

const place = document.getElementById('diagram');

function words(name) {
  return (place.dataset[name] || '').split(' ').filter(Boolean);
}

// Fit with room around it: the library's own fit touches the edges and cuts labels. A wide diagram on a narrow
// screen would be unreadable as a whole, so it is never drawn smaller than `least`; then it opens at the current step.
function fit(viewer, now) {
  if (!place.clientWidth) return; // on its way off the screen
  const canvas = viewer.get('canvas');
  const { inner } = canvas.viewbox();
  const pad = 24, least = 0.45;
  const across = Math.max(Math.min(place.clientWidth / (inner.width + 2 * pad), 1), least);
  place.style.height = `${Math.round(Math.min(Math.max((inner.height + 2 * pad) * across, 220), 640))}px`;
  canvas.resized();
  const { outer } = canvas.viewbox();
  const whole = Math.min(outer.width / (inner.width + 2 * pad), outer.height / (inner.height + 2 * pad), 1);
  const scale = Math.max(whole, least);
  const width = outer.width / scale, height = outer.height / scale;
  const first = now.map((id) => viewer.get('elementRegistry').get(id)).find((e) => e && e.width);
  const centre = (start, size, room, focus) =>
    size + 2 * pad <= room || focus === null
      ? start + size / 2 - room / 2
      : Math.min(Math.max(focus - room / 2, start - pad), start + size + pad - room);
  const x = whole >= least ? null : first ? first.x + first.width / 2 : inner.x;
  const y = whole >= least ? null : first ? first.y + first.height / 2 : inner.y;
  canvas.viewbox({ x: centre(inner.x, inner.width, width, x), y: centre(inner.y, inner.height, height, y), width, height });
}

function mark(viewer, ids, name) {
  const canvas = viewer.get('canvas'), registry = viewer.get('elementRegistry');
  for (const id of ids) if (registry.get(id)) canvas.addMarker(id, name);
}

// Everything at once, however small: for an ended case, and for who asks.
function whole(viewer) {
  const canvas = viewer.get('canvas');
  const { inner, outer } = canvas.viewbox();
  const pad = 24, scale = Math.min(outer.width / (inner.width + 2 * pad), outer.height / (inner.height + 2 * pad), 1);
  const width = outer.width / scale, height = outer.height / scale;
  canvas.viewbox({ x: inner.x + inner.width / 2 - width / 2, y: inner.y + inner.height / 2 - height / 2, width, height });
}

function tools(viewer) {
  const bar = document.createElement('div');
  bar.className = 'diagram-tools';
  const verbs = [['larger', '+'], ['smaller', '−'], ['whole', place.dataset.whole]];
  for (const [name, face] of verbs) {
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = face;
    button.title = place.dataset[name];
    button.setAttribute('aria-label', place.dataset[name]);
    button.addEventListener('click', () => {
      if (name === 'whole') whole(viewer);
      else viewer.get('zoomScroll').stepZoom(name === 'larger' ? 2 : -2);
    });
    bar.append(button);
  }
  place.append(bar);
}

async function show() {
  const answer = await fetch(place.dataset.xml, { credentials: 'same-origin', headers: { Accept: 'application/xml' } });
  if (!answer.ok) throw new Error(String(answer.status));
  const viewer = new Viewer({ container: place });
  await viewer.importXML(await answer.text());
  const now = words('now');
  mark(viewer, words('past'), 'sanwei-past');
  mark(viewer, words('flows'), 'sanwei-past');
  mark(viewer, now, 'sanwei-now');
  fit(viewer, now);
  tools(viewer);
  let width = place.clientWidth;
  new ResizeObserver(() => {
    if (place.clientWidth !== width) { width = place.clientWidth; fit(viewer, now); }
  }).observe(place);
  place.dataset.ready = 'yes';
}

if (place) {
  show().catch(() => {
    place.textContent = place.dataset.failed;
    place.dataset.ready = 'failed';
  });
}
