// The page is whole as it comes; this keeps it so. Nothing here changes the gate.
"use strict";
(() => {
	const $ = id => document.getElementById(id);
	const silence = 3500, kind = document.body.dataset.page;
	let heard = Date.now(), source = null, over = false;

	for (const a of document.querySelectorAll("nav a"))
		if (a.getAttribute("href") === location.pathname) a.setAttribute("aria-current", "page");

	// link says that what stands here may be old.
	function link(text) {
		document.body.classList.toggle("away", text !== "");
		if ($("link").textContent !== text) $("link").textContent = text;
		$("link").hidden = text === "";
	}

	// nodes reads what the daemon has rendered; its words are escaped there.
	const nodes = html => [...new DOMParser().parseFromString(html, "text/html").body.childNodes];

	function part(p) {
		const at = $(p.id);
		if (!at) return;
		at.replaceChildren(...nodes(p.html));
		if (p.id === "head") document.title = at.firstElementChild.textContent;
	}

	function listen() {
		source = new EventSource("/events");
		source.addEventListener("beat", () => { heard = Date.now(); link(""); });
		if (kind === "status") source.addEventListener("part", e => part(JSON.parse(e.data)));
		source.addEventListener("over", ended);
		// A refusal ends a source for good: it is made anew, unless nobody is signed in any more.
		source.onerror = () => { if (source.readyState === EventSource.CLOSED) { source = null; here(); } };
	}

	function ended() {
		over = true;
		if (source) source.close();
		link("Your session is over: sign in again.");
		for (const c of document.querySelectorAll(".camera")) draw(c, {live: false, why: "Sign in again.", found: ""});
	}

	// here says that somebody is there; the answer tells whether he is signed in.
	async function here() {
		try { if ((await fetch("/here")).status === 401) ended(); } catch { /* the watch below says so */ }
	}

	setInterval(() => {
		if (over) return;
		if (Date.now() - heard > silence) {
			const at = new Date(heard).toLocaleTimeString("en-GB");
			link("Disconnected: what stands here is of " + at + ". It goes on by itself.");
		}
		if (!source) listen();
	}, 500);

	let moved = Date.now();
	for (const e of ["pointerdown", "keydown", "wheel"]) addEventListener(e, () => {
		if (over || Date.now() - moved < 30000) return;
		moved = Date.now();
		here();
	}, {passive: true});

	const pause = ms => new Promise(done => setTimeout(done, ms));

	function draw(c, s) {
		const img = c.querySelector("img"), shape = c.querySelector("polygon"), none = c.querySelector(".none"), found = c.querySelector(".found"), table = c.querySelector("table");
		img.hidden = !s.live;
		if (s.live) { img.src = "data:image/jpeg;base64," + s.jpeg; img.alt = "View of the camera: " + s.found; } else { img.removeAttribute("src"); img.alt = ""; }
		c.querySelector("svg").setAttribute("viewBox", `0 0 ${s.width || 16} ${s.height || 9}`);
		shape.setAttribute("points", s.live && s.outline ? s.outline.map(p => p.join(",")).join(" ") : "");
		none.hidden = s.live;
		if (!s.live && none.textContent !== s.why) none.textContent = s.why;
		if (found.textContent !== s.found) found.textContent = s.found;
		found.className = "found " + (s.tone || "");
		table.hidden = !(s.live && s.rules);
		const rows = (s.rules || []).map(r => {
			const tr = document.createElement("tr");
			tr.className = r.ok ? "good" : "bad";
			for (const text of [r.rule, r.value, r.limit, r.ok ? "yes" : "no"]) {
				const td = document.createElement("td");
				td.textContent = text;
				tr.append(td);
			}
			return tr;
		});
		table.tBodies[0].replaceChildren(...rows);
		c.dataset.n = s.n || "";
		c.dataset.live = s.live;
	}

	// look draws one camera's views, each asked for when the last is drawn, and
	// none while the page is not seen.
	async function look(c) {
		for (let n = 0; !over;) {
			if (document.hidden) { await pause(500); continue; }
			try {
				const r = await fetch(`/cameras/${c.dataset.camera}?after=${n}`);
				if (r.status === 401) { ended(); return; }
				const s = await r.json();
				n = s.n || 0;
				draw(c, s);
				if (!s.live) await pause(500);
			} catch {
				draw(c, {live: false, why: "Disconnected.", found: ""});
				await pause(1000);
			}
		}
	}

	listen();
	for (const c of document.querySelectorAll(".camera")) look(c);
})();
