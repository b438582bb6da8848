for (const t of document.querySelectorAll("time")) {
  const d = new Date(t.dateTime), s = { hour: "2-digit", minute: "2-digit", second: "2-digit" };
  if (isNaN(d)) continue;
  t.title = t.textContent;
  const today = d.toDateString() === new Date().toDateString();
  t.textContent = today ? d.toLocaleTimeString([], s) : d.toLocaleString();
}
